// Prepares the monitoring of a site, in one folder: its settings (thresholds.yaml, routing.yaml) and secrets, which are
// made once and then are the site's, and what is rendered from them, which is written anew each time. Everything is read
// before anything is written; a mistake in the settings is a ConfigError with its place and leaves the folder as it was.
import {
  chmodSync,
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { renderContainerAlertmanager, SMTP_PASSWORD } from '../../monitoring/aws/container-alertmanager.ts'
import { renderAll, writeFiles } from '../../monitoring/render.ts'
import { installRouting } from '../../monitoring/routing/install.ts'
import { loadRouting, type RoutingSettings } from '../../monitoring/routing/settings.ts'
import { CONTAINER_TARGETS, NATIVE_TARGETS, type Targets } from '../../monitoring/scrape.ts'
import { loadSettings } from '../../monitoring/thresholds.ts'
import type { Config } from '../../src/platform/config.ts'
import { keepSecret, randomSecret, readSecret, secretFile } from './secrets.ts'
import { gatewayTargets, writeTargets } from './targets.ts'
import { runTool } from './tools.ts'

/** natively started beside the gateway, or containers with their names as addresses. */
export type Kind = 'native' | 'containers'

export type Answers = Readonly<{
  /** Undefined: nobody knows one, and notifications go to `printer`. */
  slackUrl(): Promise<string | undefined>
  email?: Readonly<{ to: string; from: string; smarthost: string; user?: string | undefined }> | undefined
  smtpPassword(): Promise<string | undefined>
}>

export type SetupOptions = Readonly<{
  folder: string
  kind: Kind
  config: Config // its listeners must not carry the alerts
  /** Where a natively started stack prints notifications. */
  printer: string
  answers: Answers
}>

/** A line for people each: what was made, kept, written and checked. */
export type Setup = Readonly<{ lines: readonly string[]; problems: readonly string[] }>

/** Not the site's: written elsewhere below, or an example. */
const LEFT_OUT = /^(alertmanager\/|prometheus\/(targets\/|remote-write|rules\/escalation)|thresholds\.example)/

export async function setUpMonitoring(options: SetupOptions): Promise<Setup> {
  const { config } = options
  const folder = resolve(options.folder)
  const made = await makeSettings(folder, options)
  const [thresholds, routing] = ['thresholds.yaml', 'routing.yaml'].map(name => join(folder, name)) as [string, string]
  const settings = loadSettings(thresholds)
  loadRouting(routing, config)
  const files = new Map([...renderAll(settings)].filter(([path]) => !LEFT_OUT.test(path)))
  writeFiles(files, folder)
  const routed = installRouting({ out: folder, routing, thresholds })
  if (options.kind === 'containers') giveToContainers(loadRouting(routing, config), folder)
  removeOutdatedRules(folder, [...files.keys(), ...routed.map(file => relative(folder, file))])
  writeTargets(targetsOf(options, folder), folder)
  if (options.kind === 'containers') openForContainers(folder)
  const { lines, problems } = await check(folder)
  return {
    lines: [
      ...made,
      `written   ${files.size + routed.length} files below ${folder}: prometheus, alertmanager, grafana`,
      ...lines,
    ],
    problems,
  }
}

/** Alertmanager finds its password beside its configuration. */
function giveToContainers(routing: RoutingSettings, folder: string): void {
  writeFiles(renderContainerAlertmanager(routing, routing.dead_mans_switch?.url), folder)
  const { password_file: password } = routing.email ?? {}
  if (password !== undefined) copyFileSync(password, join(folder, 'alertmanager', SMTP_PASSWORD))
}

/** Containers run as users of their own, and are given what is below: who is no container does not get that far. */
function openForContainers(folder: string): void {
  chmodSync(folder, 0o700)
  for (const path of globSync('{prometheus,alertmanager,grafana}{,/**}', { cwd: folder })) {
    const file = join(folder, path)
    chmodSync(file, statSync(file).isDirectory() ? 0o755 : 0o644)
  }
}

/** Rules that an earlier version has written under a name that is no more. Those of the site's own stay. */
function removeOutdatedRules(folder: string, written: readonly string[]): void {
  for (const path of globSync('prometheus/rules/*.yml', { cwd: folder })) {
    const file = join(folder, path)
    if (!written.includes(path) && readFileSync(file, 'utf8').startsWith('# Written by `npm run monitoring`'))
      rmSync(file)
  }
}

async function makeSettings(folder: string, { kind, printer, answers }: SetupOptions): Promise<string[]> {
  mkdirSync(folder, { recursive: true })
  const made: string[] = []
  const secret = async (...[name, value]: [Parameters<typeof keepSecret>[1], () => string | Promise<string>]) => {
    const isNew = await keepSecret(folder, name, value)
    made.push(`secret    ${secretFile(folder, name)} (${isNew ? 'new' : 'kept'})`)
  }
  const settings = (name: string, text: string) => {
    const file = join(folder, name)
    const isNew = !existsSync(file)
    if (isNew) writeFileSync(file, text)
    made.push(`settings  ${file} (${isNew ? 'new' : 'kept'})`)
  }
  settings('thresholds.yaml', THRESHOLDS)
  settings('routing.yaml', routingText(folder, answers.email))
  await secret('slack_webhook_url', async () => (await answers.slackUrl()) || printer)
  if (answers.email?.user !== undefined) await secret('smtp_password', async () => (await answers.smtpPassword()) ?? '')
  if (kind === 'containers') {
    await secret('grafana_admin_password', randomSecret)
    await secret('rspamd_controller_password', randomSecret)
  }
  return made
}

const THRESHOLDS = `# When alerts fire: only what differs from the defaults, which are in monitoring/thresholds.example.yaml, such as
#   thresholds: { queue_size: 5000 }
# After a change: scripts/setup-monitoring.sh
{}
`

function routingText(folder: string, email: Answers['email']): string {
  const head = `# Who is told of alerts, and how. All keys, with what they mean: monitoring/routing.yaml; docs/alert-routing.md
# After a change: scripts/setup-monitoring.sh
`
  const login =
    email?.user === undefined ? '' : `\n  user: ${email.user}\n  password_file: ${secretFile(folder, 'smtp_password')}`
  const mail =
    email === undefined
      ? '# email: { from: elemta-alerts@example.com, to: [ops@example.com], smarthost: "smtp.example.com:587" }\n'
      : `email:\n  from: ${email.from}\n  to: [${email.to}]\n  smarthost: "${email.smarthost}"${login}\n`
  return `${head}${mail}slack:\n  webhook_url_file: ${secretFile(folder, 'slack_webhook_url')}\n`
}

function targetsOf({ kind, config }: SetupOptions, folder: string): Targets {
  switch (kind) {
    case 'native':
      return { ...NATIVE_TARGETS, ...gatewayTargets(config) }
    case 'containers': {
      const password = readSecret(folder, 'rspamd_controller_password')!
      return { ...CONTAINER_TARGETS, rspamd: CONTAINER_TARGETS.rspamd.map(target => ({ ...target, password })) }
    }
  }
}

async function check(folder: string): Promise<Setup> {
  const prometheus = join(folder, 'prometheus', 'prometheus.yml')
  const alertmanager = join(folder, 'alertmanager', 'alertmanager.yml')
  const answers = [
    { what: `promtool check config ${prometheus}`, ...(await runTool('promtool', ['check', 'config', prometheus])) },
    { what: `amtool check-config ${alertmanager}`, ...(await runTool('amtool', ['check-config', alertmanager])) },
  ]
  return {
    lines: answers.flatMap(({ what, kind, text }) => {
      if (kind === 'wrong') return []
      return [kind === 'fine' ? `checked   ${what}` : `unchecked ${what}: ${text}`]
    }),
    problems: answers.flatMap(({ what, kind, text }) => (kind === 'wrong' ? [`${what} found:\n${text}`] : [])),
  }
}
