// Lambda, every minute: tells how long the queues are and whether the ledger balances, under the names that a gateway's
// /metrics has. One teller for a whole deployment: tasks that each counted the same rows would be added up. The samples go
// to the workspace that ELEMTA_REMOTE_WRITE_URL names; without one, to the log only.
import { environment } from '../../src/platform/environment.ts'
import { refreshQuarantineGauges } from '../../src/spool/expiry.ts'
import { refreshLedgerGauges, refreshQueueGauges } from '../../src/spool/gauges.ts'
import { type GatewayFunction, once, openGatewayFunction } from '../gateway-function.ts'
import { type Sample, writeSamples } from './remote-write.ts'

const opened = once(openGatewayFunction)

/** Of the catalogue: what is the deployment's, not a process's. */
const TOLD = [
  'elemta_queue_size',
  'elemta_queue_oldest_age_seconds',
  'elemta_ledger_imbalance',
  'elemta_quarantine_size',
  'elemta_quarantine_oldest_age_seconds',
] as const

export async function handler(): Promise<Readonly<{ samples: number }>> {
  const gateway = await opened()
  const samples = await queueSamples(gateway)
  const told = samples.map(({ labels: { __name__, queue_type }, value }) => [`${__name__}/${queue_type ?? ''}`, value])
  gateway.log.info({ samples: Object.fromEntries(told) }, 'queues-counted')
  const url = environment.ELEMTA_REMOTE_WRITE_URL
  if (url === undefined) return { samples: 0 }
  const { AWS_REGION, AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '', AWS_SESSION_TOKEN } = environment
  const credentials = {
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
    ...(AWS_SESSION_TOKEN !== undefined && { sessionToken: AWS_SESSION_TOKEN }),
  }
  const target = { url, ...(AWS_REGION !== undefined && { region: AWS_REGION, credentials }) }
  await writeSamples(target, samples, gateway.now())
  return { samples: samples.length }
}

async function queueSamples({ backends, metrics, log, now }: GatewayFunction): Promise<Sample[]> {
  const alone = <T>(act: () => Promise<T>) => act()
  await Promise.all([
    refreshQueueGauges(backends, metrics, now()),
    refreshLedgerGauges(backends, metrics),
    refreshQuarantineGauges({ backends, metrics, log, now, alone }),
  ])
  const all = await metrics.registry.getMetricsAsJSON()
  return all
    .filter(({ name }) => (TOLD as readonly string[]).includes(name))
    .flatMap(({ name, values }) =>
      values.map(({ labels, value }) => ({
        value,
        labels: { __name__: name, job: 'elemta', instance: 'queues', ...stringsIn(labels) },
      })),
    )
}

function stringsIn(labels: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, String(value)]))
}
