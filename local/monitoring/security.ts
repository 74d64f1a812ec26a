// The security part of the monitoring: do ClamAV and Rspamd answer, can Prometheus scrape both, are the rules of the
// security group there? Where Rspamd's controller wants a password, whether ours opens it. Asks the gateway's operator's
// port and the controller; changes nothing. For an Rspamd in a container it writes the controller's file.
import type { Target } from '../../monitoring/scrape.ts'
import { askJson, askText, type Check, plural, Unreachable } from '../../monitoring/verify/check.ts'
import { rulesBelow } from '../../monitoring/verify/sources.ts'
import { type Config, enabledPlugin } from '../../src/platform/config.ts'
import { gatewayTargets } from './targets.ts'

/** `folder`: of the site, rendered. */
export async function checkSecurity(config: Config, folder: string): Promise<Check[]> {
  const { elemta, rspamd } = gatewayTargets(config)
  const ops = `http://${elemta[0]!.address}`
  return [
    await scanners(ops, config),
    ...(enabledPlugin(config, 'clamav') === undefined ? [] : [await exporter(ops)]),
    ...(await Promise.all(rspamd.map(controller))),
    rules(folder),
  ]
}

/** Whether a gateway answers where this configuration says. */
export async function isRunning(config: Config): Promise<boolean> {
  const { elemta } = gatewayTargets(config)
  return fetch(`http://${elemta[0]!.address}/healthz`).then(
    () => true,
    () => false,
  )
}

async function scanners(ops: string, config: Config): Promise<Check> {
  const name = 'scanners'
  const wanted = (['clamav', 'rspamd'] as const).filter(plugin => enabledPlugin(config, plugin) !== undefined)
  if (wanted.length === 0) {
    return {
      name,
      summary: 'none',
      problems: ['neither clamav nor rspamd is among the plugins: mail passes unscanned'],
    }
  }
  type Ready = Readonly<{ checks: readonly Readonly<{ name: string; state: string; detail: string }>[] }>
  return unlessUnreachable(name, 'start the gateway (npm start)', async () => {
    const { checks } = (await askJson(`${ops}/readyz`)) as Ready
    const about = checks.filter(check => /^(clam|rspamd|scanners|redis|unbound|freshclam)/.test(check.name))
    const tell = (check: (typeof about)[number]) => `${check.name}: ${check.detail}`
    const problems = about.filter(({ state }) => state === 'failed').map(tell)
    const notes = about.filter(({ state }) => state !== 'failed').map(tell)
    return { name, summary: `${wanted.join(' and ')}, as the gateway sees them`, problems, notes }
  })
}

function exporter(ops: string): Promise<Check> {
  const name = 'clamav'
  return unlessUnreachable(name, 'start the gateway (npm start)', async () => {
    const text = await askText(`${ops}/metrics/clamav`)
    const summary = `clamd’s metrics at ${ops}/metrics/clamav`
    if (/^clamav_up 1$/m.test(text)) return { name, summary, problems: [] }
    return { name, summary, problems: [`the exporter answers, but clamd does not: ${ops}/readyz says why`] }
  })
}

async function controller({ address, password }: Target): Promise<Check> {
  const name = 'rspamd'
  const url = `http://${address}/metrics`
  const advice =
    'see rspamd.config.host and controller_port in the configuration; an own Rspamd is started by npm start'
  return unlessUnreachable(name, advice, async () => {
    const text = await askText(password === undefined ? url : `${url}?password=${encodeURIComponent(password)}`)
    const summary = `Rspamd’s metrics at ${url}`
    if (/^rspamd_scanned_total /m.test(text)) return { name, summary, problems: [] }
    const problem =
      password === undefined
        ? 'its controller asks for a password: put it into a file, and name that as password_file in the block of rspamd'
        : 'its controller does not take the password of the block of rspamd'
    return { name, summary, problems: [`${url}: ${problem}`] }
  })
}

function rules(folder: string): Check {
  const group = rulesBelow(folder).filter(rule => rule.group === 'elemta-security')
  const alerts = [...new Set(group.map(({ name }) => name))]
  const problems = alerts.length > 0 ? [] : [`${folder}/prometheus/rules has no group elemta-security`]
  return { name: 'rules', summary: `${plural(alerts.length, 'alert')}: ${alerts.join(', ')}`, problems }
}

async function unlessUnreachable(name: string, advice: string, check: () => Promise<Check>): Promise<Check> {
  try {
    return await check()
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error
    return { name, summary: 'could not be checked', problems: [`${error.message}: ${advice}`] }
  }
}
