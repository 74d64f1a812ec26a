// Writes a site's own alert routing: node monitoring/routing/install.ts --out DIR [--routing FILE] [--gateway FILE]
// [--thresholds FILE]. Reads the dead-man's URL from its file, since Alertmanager 0.25 cannot, and so makes
// alertmanager.yml readable by its owner alone. With the gateway's configuration it refuses a smarthost that is the gateway.
// On a mistake nothing is written: every problem is told with its place, exit code 1.
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { ConfigError } from '../../src/platform/config-errors.ts'
import { loadConfig } from '../../src/platform/config-load.ts'
import { DEFAULT_SETTINGS, loadSettings } from '../thresholds.ts'
import { CONFIGURATION, ROUTING_FILE, renderRouting } from './render.ts'
import { loadRouting, type RoutingSettings } from './settings.ts'

const USAGE = `Usage: node monitoring/routing/install.ts --out DIR [options]

Writes alertmanager/alertmanager.yml, its templates and prometheus/rules/escalation.yml below DIR.

  --routing FILE     who is told, and how (default: monitoring/routing.yaml)
  --gateway FILE     the gateway's configuration: its listeners must not carry the alerts
  --thresholds FILE  a site's thresholds, for the links to runbooks and dashboards`

export type Installation = Readonly<{
  out: string
  routing?: string | undefined
  gateway?: string | undefined
  thresholds?: string | undefined
}>

/** Writes the files and returns their paths. Throws ConfigError. */
export function installRouting({ out, routing = ROUTING_FILE, gateway, thresholds }: Installation): string[] {
  const settings = thresholds === undefined ? DEFAULT_SETTINGS : loadSettings(thresholds)
  const site = loadRouting(routing, gateway === undefined ? undefined : loadConfig(gateway))
  refuseLineEnd(site, routing)
  const files = renderRouting(settings, site, deadMansUrl(site, routing))
  return [...files].map(([path, text]) => {
    const file = join(out, path)
    mkdirSync(dirname(file), { recursive: true })
    write(file, text, path === CONFIGURATION ? 0o600 : 0o644)
    return file
  })
}

function deadMansUrl({ dead_mans_switch: settings }: RoutingSettings, file: string): string | undefined {
  if (settings?.url_file === undefined) return settings?.url
  const problem = (message: string) => new ConfigError([{ file, key: 'dead_mans_switch.url_file', message }])
  let url: string
  try {
    url = readFileSync(settings.url_file, 'utf8').trim()
  } catch (error) {
    throw problem(`cannot be read: ${(error as Error).message}`)
  }
  if (/^https?:\/\/\S+$/.test(url)) return url
  throw problem(`${settings.url_file} does not hold an address such as https://hc.example.com/ping/1`)
}

/** Alertmanager 0.25 takes a line end for a part of the password. A file that we cannot see is Alertmanager's affair. */
function refuseLineEnd({ email }: RoutingSettings, file: string): void {
  let password = ''
  try {
    password = email?.password_file === undefined ? '' : readFileSync(email.password_file, 'utf8')
  } catch {
    return
  }
  if (!/[\r\n]$/.test(password)) return
  const message = `${email?.password_file} ends in a line end, which Alertmanager sends as a part of the password`
  throw new ConfigError([{ file, key: 'email.password_file', message: `${message}: write it by printf %s` }])
}

/** Never half a file, and a secret is never readable for a moment. */
function write(file: string, text: string, mode: number): void {
  const temporary = `${file}.new`
  writeFileSync(temporary, text, { mode })
  chmodSync(temporary, mode)
  renameSync(temporary, file)
}

function main(): number {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    options: { out: text, routing: text, gateway: text, thresholds: text, help: { type: 'boolean' } },
  })
  if (values.help || values.out === undefined) {
    console.log(USAGE)
    return values.help ? 0 : 2
  }
  for (const file of installRouting({ ...values, out: values.out })) console.log(file)
  return 0
}

if (import.meta.main) {
  try {
    process.exitCode = main()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    console.error(error.message)
    process.exitCode = 1
  }
}
