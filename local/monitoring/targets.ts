// Where a natively started Prometheus finds this gateway, clamd's metrics and Rspamd's controller, as files below
// `<data_dir>/monitoring`, which it reads again when they change. The gateway writes them: only it knows the ports that
// it got and where it started Rspamd. They stay when it stops, so that its absence is seen. A file without our first
// line is somebody's own and is left alone.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { renderTargets, TARGETS_HEAD, type Targets } from '../../monitoring/scrape.ts'
import { readOperatorAccess } from '../../src/console/operator-token.ts'
import { type Config, enabledPlugin } from '../../src/platform/config.ts'
import { readController } from '../embedded/controller-file.ts'

type Address = Readonly<{ address: string; port: number }>

export const siteFolder = (dataDir: string) => join(dataDir, 'monitoring')

/** The jobs of the gateway's own, as they are now. `ops`: what it listens on; by default what it left for commands. */
export function gatewayTargets(
  config: Config,
  ops: Address | undefined = runningOps(config),
): Pick<Targets, 'elemta' | 'clamav' | 'rspamd'> {
  const own = [{ address: reachable(ops ?? config.ops) }]
  const rspamd = enabledPlugin(config, 'rspamd')
  const started = readController(config.data_dir)
  const controller = started ?? (rspamd && { host: rspamd.host, port: rspamd.controller_port })
  const password = started === undefined ? rspamd?.password : undefined
  return {
    elemta: own,
    clamav: enabledPlugin(config, 'clamav') === undefined ? [] : own,
    rspamd:
      rspamd === undefined || controller === undefined
        ? []
        : [
            {
              address: reachable({ address: controller.host, port: controller.port }),
              ...(password !== undefined && { password }),
            },
          ],
  }
}

/** Writes the files that changed, below `folder`. One with a password is its owner's alone. */
export function writeTargets(targets: Partial<Targets>, folder: string): void {
  for (const [path, text] of renderTargets(targets)) {
    const file = join(folder, path)
    const before = contentOf(file)
    if (before === text || (before !== undefined && !before.startsWith(TARGETS_HEAD))) continue
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(`${file}.new`, text, { mode: text.includes('__param_password') ? 0o600 : 0o644 })
    renameSync(`${file}.new`, file)
  }
}

function contentOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

function runningOps({ data_dir }: Config): Address | undefined {
  try {
    const url = readOperatorAccess(data_dir)?.url
    if (url === undefined) return undefined
    const { hostname, port } = new URL(url)
    return { address: hostname.replace(/^\[|\]$/g, ''), port: Number(port) }
  } catch {
    return undefined // not ours to read: what is configured, then
  }
}

function reachable({ address, port }: Address): string {
  const host = address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
