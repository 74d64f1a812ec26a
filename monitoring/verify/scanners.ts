// Do the scanners answer? Asked of Prometheus: the gateway's own view of each, and the exporter's of clamd, whose target
// is up also when clamd is not. What fires at the moment is a note: it is what the monitoring is for.
import type { Check } from './check.ts'
import { instantly } from './prometheus.ts'

const DOWN = 'elemta_scanner_up == 0 and on (instance, scanner) elemta_scanner_configured == 1'

export async function checkScanners(prometheus: string): Promise<Check> {
  const configured = await instantly(prometheus, 'elemta_scanner_configured == 1')
  const down = await instantly(prometheus, DOWN)
  const clamd = await instantly(prometheus, 'clamav_up == 0')
  const firing = await instantly(prometheus, 'ALERTS{alertstate="firing", alertname!="Watchdog"}')
  const names = (samples: typeof down) => [...new Set(samples.map(({ labels }) => labels.scanner))].sort()
  const problems = [
    ...down.map(({ labels: { scanner, instance } }) => `${scanner} does not answer the gateway at ${instance}: ${SEE}`),
    ...clamd.map(
      ({ labels: { instance } }) => `clamd does not answer the exporter at ${instance} (clamav_up 0): ${SEE}`,
    ),
  ]
  const all = names(configured)
  const up = all.filter(name => !names(down).includes(name))
  return {
    name: 'scanners',
    summary: all.length === 0 ? 'none is configured: mail passes unscanned' : `${up.length}/${all.length} answer`,
    problems,
    notes: firing.map(
      ({ labels: { alertname, severity, escalates } }) =>
        `firing now: ${escalates ?? alertname} (${severity ?? 'escalated'})`,
    ),
  }
}

const SEE = 'curl http://127.0.0.1:8080/readyz says why; mail waits meanwhile, or passes tagged, as its on_error says'
