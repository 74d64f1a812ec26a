// The real clamd and rspamd for the tests of this folder, with directories of their own. A missing package is an error
// that names it. rspamd's compiled patterns are kept between runs: compiling them takes 20 seconds.
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startClamd } from '../../local/embedded/clamd.ts'
import { type RspamdOptions, startRspamd } from '../../local/embedded/rspamd.ts'
import { silentLog } from '../../src/platform/log.ts'

const HYPERSCAN = '/var/tmp/elemta-hyperscan'

export type RealClamd = Readonly<{ host: string; port: number; pid: number; stop(): Promise<void> }>
export type RealRspamd = Readonly<{ host: string; port: number; controllerPort: number; stop(): Promise<void> }>

/** clamd with freshclam's signatures, where there are some, or EICAR's; StreamMaxLength in octets. */
export async function realClamd(streamMaxBytes: number): Promise<RealClamd> {
  const dir = directory('clamd')
  const { host, port, status, stop } = await startClamd({ dir, streamMaxBytes, log: silentLog })
  const pid = Number(/\d+/.exec(status()[0]?.detail ?? '')?.[0])
  return { host, port, pid, stop: () => stop().finally(() => remove(dir)) }
}

/**
 * rspamd with our policy, a redis and a resolver that knows `zones` and nothing else. `configuration` is added: file
 * below local.d or override.d to its text.
 */
export async function realRspamd(
  options: Pick<RspamdOptions, 'zones' | 'messageBytes' | 'configuration' | 'dqsKey' | 'rejectScore'>,
): Promise<RealRspamd> {
  const dir = directory('rspamd')
  const common = { dir, hyperscanDir: HYPERSCAN, ephemeral: true, testPatterns: true, log: silentLog }
  const { host, port, controllerPort, stop } = await startRspamd({ ...common, ...options })
  return { host, port, controllerPort, stop: () => stop().finally(() => remove(dir)) }
}

/** The daemons' own accounts must get through. */
function directory(name: string): string {
  const path = mkdtempSync(join(tmpdir(), `elemta-${name}-`))
  chmodSync(path, 0o755)
  return path
}

function remove(path: string): void {
  rmSync(path, { recursive: true, force: true })
}
