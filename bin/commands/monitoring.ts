// elemta monitoring: sets the monitoring of a site up, starts Debian's Prometheus and Alertmanager beside a gateway, and
// verifies whatever runs, in containers or natively. The scripts of the same names call these.
// Exit code 1 when a check found something; 69 where a port is taken, 78 for a mistake in a settings file.
import type { Command } from 'commander'
import type { Answers, Kind } from '../../local/monitoring/setup.ts'
import type { Config } from '../../src/platform/config.ts'
import { environment } from '../../src/platform/environment.ts'
import { EXIT, ExitError } from '../../src/platform/exit.ts'

type SiteOptions = Readonly<{ config?: string; out?: string }>
type SetupOptions = SiteOptions &
  Readonly<{
    for?: string
    emailTo?: string
    emailFrom?: string
    smarthost?: string
    smtpUser?: string
    slackUrlFile?: string
    smtpPasswordFile?: string
    notificationsPort: string
  }>
type StartOptions = SiteOptions &
  Readonly<{ prometheusPort: string; alertmanagerPort: string; notificationsPort: string; retention: string }>
type VerifyOptions = SiteOptions &
  Readonly<{
    prometheus: string
    alertmanager: string
    grafana?: string
    grafanaUser: string
    grafanaPasswordFile?: string
    allowQuiet?: true
    notify: string
    json?: true
  }>

const ROOT = new URL('../../', import.meta.url).pathname

const print = (line: string) => process.stdout.write(`${line}\n`)

export function register(program: Command): void {
  const monitoring = program.command('monitoring').description('set up, start and verify the monitoring')
  const command = (name: string, about: string) =>
    monitoring
      .command(name)
      .description(about)
      .option('-c, --config <file>', 'the gateway’s configuration file')
      .option(
        '--out <folder>',
        'of the site: settings, secrets, rendered files (default: <data_dir>/monitoring; for containers local/site)',
      )
  const withSetup = (setup: Command) =>
    setup
      .option(
        '--for <kind>',
        'native (Prometheus beside the gateway) or containers; default: native, and both with Docker',
      )
      .option('--slack-url-file <file>', 'whose content is the incoming webhook’s URL')
      .option('--email-to <address>', 'who gets critical alerts by e-mail')
      .option('--email-from <address>', 'its sender (default: the same address)')
      .option('--smarthost <host:port>', 'a mail server that is not the gateway')
      .option('--smtp-user <name>', 'who logs in there')
      .option('--smtp-password-file <file>', 'whose content is the password')
      .option('--notifications-port <port>', 'without Slack: where notifications are printed', '9094')

  withSetup(command('setup', 'write rules, routing, dashboards, targets and secrets of this site')).action(setup)
  withSetup(command('security', 'the same, then check ClamAV, Rspamd and what Prometheus needs of both')).action(
    security,
  )
  command('start', 'set up, then run Prometheus and Alertmanager until Ctrl-C')
    .option('--prometheus-port <port>', 'on 127.0.0.1', '9090')
    .option('--alertmanager-port <port>', 'on 127.0.0.1', '9093')
    .option('--notifications-port <port>', 'where notifications without Slack are printed', '9094')
    .option('--retention <time>', 'how long Prometheus keeps series', '40d')
    .action(start)
  command('verify', 'check targets, rules, metrics, panels and a notification of the stack that runs')
    .option('--prometheus <url>', 'where it answers', 'http://127.0.0.1:9090')
    .option('--alertmanager <url>', 'where it answers', 'http://127.0.0.1:9093')
    .option('--grafana <url>', 'must answer there (default: http://127.0.0.1:3000 where it does)')
    .option('--grafana-user <name>', 'who logs in there', 'admin')
    .option('--grafana-password-file <file>', 'whose content is the password')
    .option('--allow-quiet', 'a panel of what has not happened yet is no failure')
    .option('--notify <severity>', 'of the test notification: warning, critical or none', 'warning')
    .option('--json', 'print JSON')
    .action(verify)
}

async function siteOf({ config: file, out }: SiteOptions): Promise<{ config: Config; folder: string }> {
  const { loadConfig } = await import('../../src/platform/config-load.ts')
  const { siteFolder } = await import('../../local/monitoring/targets.ts')
  const config = loadConfig(file)
  return { config, folder: out ?? siteFolder(config.data_dir) }
}

/** The site's folder where it is set up, else what is shipped. */
async function renderedFolder(folder: string): Promise<string> {
  const { existsSync } = await import('node:fs')
  return existsSync(`${folder}/prometheus`) ? folder : new URL('../../monitoring', import.meta.url).pathname
}

type SetUp = Readonly<{ config: Config; folder: string; kind: Kind; ok: boolean }>

type KindOptions = SetupOptions & Readonly<{ for: Kind; alsoRan?: boolean }>

/** `alsoRan`: nobody has asked for this kind, so what keeps it from starting is no failure. */
async function setUp(options: KindOptions, answers: Answers): Promise<SetUp> {
  const { setUpMonitoring } = await import('../../local/monitoring/setup.ts')
  const { setUpStack, STACK_SITE } = await import('../../local/stack/setup.ts')
  const kind = options.for
  const isStack = kind === 'containers' && options.out === undefined
  const { config, folder } = await siteOf(isStack ? { ...options, out: `${ROOT}${STACK_SITE}` } : options)
  const printer = `http://127.0.0.1:${portOf(options.notificationsPort)}/`
  const site = await setUpMonitoring({ folder, kind, config, printer, answers })
  const stack = isStack
    ? await setUpStack({ root: ROOT, site: folder, env: environment, freeMemory: process.availableMemory() })
    : { lines: [], problems: [] }
  for (const line of [...site.lines, ...stack.lines]) print(line)
  const inTheWay = options.alsoRan ? [] : stack.problems
  if (options.alsoRan) for (const problem of stack.problems) print(`note      for containers: ${problem}`)
  for (const problem of [...site.problems, ...inTheWay]) process.stderr.write(`${problem}\n`)
  return { config, folder, kind, ok: site.problems.length + inTheWay.length === 0 }
}

/** What is not said is both, where there is Docker and all is where it usually is. */
async function kindsOf({ for: kind, config, out }: SetupOptions): Promise<readonly Kind[]> {
  if (kind === 'native' || kind === 'containers') return [kind]
  if (kind !== undefined) throw new ExitError(EXIT.usage, '--for: expected native or containers')
  const { composeCommand } = await import('../../local/stack/preflight.ts')
  const isUsual = config === undefined && out === undefined
  return isUsual && (await composeCommand()) !== undefined ? ['native', 'containers'] : ['native']
}

/** Nobody is asked twice. */
async function answersFrom(options: SetupOptions): Promise<Answers> {
  const { readFileSync } = await import('node:fs')
  const { askUnseen } = await import('./ask-unseen.ts')
  const fileOr = (file: string | undefined, question: string) => {
    let answer: Promise<string | undefined> | undefined
    return () => {
      answer ??= file === undefined ? askUnseen(question) : Promise.resolve(readFileSync(file, 'utf8').trim())
      return answer
    }
  }
  const { emailTo: to, emailFrom: from = to, smarthost, smtpUser: user } = options
  if ((to === undefined) !== (smarthost === undefined)) {
    throw new ExitError(EXIT.usage, '--email-to and --smarthost belong together')
  }
  return {
    slackUrl: fileOr(options.slackUrlFile, 'Slack’s incoming webhook URL (empty: notifications are printed): '),
    smtpPassword: fileOr(options.smtpPasswordFile, `Password of ${user} at ${smarthost}: `),
    ...(to !== undefined && from !== undefined && smarthost !== undefined && { email: { to, from, smarthost, user } }),
  }
}

async function setup(options: SetupOptions): Promise<void> {
  const answers = await answersFrom(options)
  for (const kind of await kindsOf(options)) {
    const alsoRan = options.for === undefined && kind === 'containers'
    const { ok } = await setUp({ ...options, for: kind, alsoRan }, answers)
    if (ok) print(NEXT[kind])
    else process.exitCode = 1
  }
}

const NEXT: Readonly<Record<Kind, string>> = {
  native: 'next      npm start, and beside it scripts/start-monitoring.sh; then scripts/verify-monitoring-stack.sh',
  containers:
    'next      docker-compose -f docker-compose-monitoring.yml up -d; then scripts/verify-monitoring-stack.sh (local/README.md)',
}

async function security(options: SetupOptions): Promise<void> {
  const { checkSecurity, isRunning } = await import('../../local/monitoring/security.ts')
  const { formatCheck } = await import('../../monitoring/verify/verify.ts')
  const [kinds, answers] = [await kindsOf(options), await answersFrom(options)]
  for (const kind of kinds) {
    const alsoRan = options.for === undefined && kind === 'containers'
    const { config, folder, ok } = await setUp({ ...options, for: kind, alsoRan }, answers)
    if (!ok) process.exitCode = 1
    // A stack in containers is looked into by verify, when it runs.
    const isLater = kind === 'containers' || (kinds.length > 1 && !(await isRunning(config)))
    if (isLater) {
      print(NEXT[kind])
      continue
    }
    const checks = await checkSecurity(config, folder)
    for (const check of checks) print(formatCheck(check))
    if (checks.some(({ problems }) => problems.length > 0)) process.exitCode = 1
  }
}

async function start(options: StartOptions): Promise<void> {
  const { startMonitoring } = await import('../../local/monitoring/start.ts')
  const { silentLog } = await import('../../src/platform/log.ts')
  const { config, folder, ok } = await setUp({ ...options, for: 'native' }, await answersFrom(options))
  if (!ok) throw new ExitError(EXIT.config, 'not started, since that would not work')
  const running = await startMonitoring({
    folder,
    dataDir: config.data_dir,
    ports: {
      prometheus: portOf(options.prometheusPort),
      alertmanager: portOf(options.alertmanagerPort),
      notifications: portOf(options.notificationsPort),
    },
    retention: options.retention,
    log: silentLog,
    print: text => print(`${new Date().toISOString().slice(11, 19)}  ${text}`),
  })
  print(`Prometheus    ${running.prometheus}`)
  print(`Alertmanager  ${running.alertmanager}`)
  print('Ctrl-C stops both; what Prometheus has stored stays.')
  await new Promise(resolve => process.once('SIGTERM', resolve).once('SIGINT', resolve))
  await running.stop()
}

async function verify(options: VerifyOptions): Promise<void> {
  const { readFileSync } = await import('node:fs')
  const { formatCheck, verify } = await import('../../monitoring/verify/verify.ts')
  const { readSecret } = await import('../../local/monitoring/secrets.ts')
  const { notify, json } = options
  if (notify !== 'none' && notify !== 'warning' && notify !== 'critical') {
    throw new ExitError(EXIT.usage, '--notify: expected warning, critical or none')
  }
  const { folder: site } = await siteOf(options)
  const { grafanaPasswordFile: file } = options
  const { STACK_SITE } = await import('../../local/stack/setup.ts')
  const known =
    readSecret(site, 'grafana_admin_password') ?? readSecret(`${ROOT}${STACK_SITE}`, 'grafana_admin_password')
  const password = file === undefined ? known : readFileSync(file, 'utf8').trim()
  const withoutSlash = (url: string) => url.replace(/\/$/, '')
  const { ok, checks, figures } = await verify({
    prometheus: withoutSlash(options.prometheus),
    alertmanager: withoutSlash(options.alertmanager),
    grafana: {
      url: withoutSlash(options.grafana ?? 'http://127.0.0.1:3000'),
      required: options.grafana !== undefined,
      user: options.grafanaUser,
      password,
    },
    folder: await renderedFolder(site),
    allowQuiet: options.allowQuiet === true,
    notify,
    onCheck: check => json || print(formatCheck(check)),
  })
  print(json ? JSON.stringify({ ok, figures, checks }) : figures)
  if (!ok) process.exitCode = 1
}

function portOf(text: string): number {
  const port = Number(text)
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port
  throw new ExitError(EXIT.usage, `${text} is no port`)
}
