// One clamd and one rspamd for the whole test run: real ones, private, with a redis and a resolver of their own, which
// knows no name and says so at once. A machine without the packages fails the run and is told their names.
// Tests get the addresses by `inject('clamav')` and `inject('rspamd')`.
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { startClamd } from '../local/embedded/clamd.ts'
import { startRspamd } from '../local/embedded/rspamd.ts'
import { silentLog } from '../src/platform/log.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    clamav: { host: string; port: number }
    /** GTUBE's first letter chooses the action; `controllerPort` answers like rspamd's 11334. */
    rspamd: { host: string; port: number; controllerPort: number }
  }
}

/** Kept between runs: compiling rspamd's patterns takes 20 s. */
const PATTERNS = '/var/tmp/elemta-hyperscan'
const STREAM_MAX = 26 * 1024 * 1024

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dir = mkdtempSync(join(tmpdir(), 'elemta-scanners-'))
  chmodSync(dir, 0o755) // the daemons' own accounts must get through
  const common = { dir, log: silentLog }
  const forTests = { hyperscanDir: PATTERNS, zones: '', ephemeral: true, testPatterns: true }
  const started = await Promise.allSettled([
    startClamd({ ...common, streamMaxBytes: STREAM_MAX }),
    startRspamd({ ...common, ...forTests }),
  ])
  const [clamd, rspamd] = started
  async function teardown() {
    await Promise.all(started.map(daemon => daemon.status === 'fulfilled' && daemon.value.stop()))
    rmSync(dir, { recursive: true, force: true })
  }
  if (clamd.status === 'rejected' || rspamd.status === 'rejected') {
    await teardown()
    const reasons = started.flatMap(daemon => (daemon.status === 'rejected' ? [String(daemon.reason.message)] : []))
    throw new Error(`the tests need real scanners: ${reasons.join('; ')}`)
  }
  if (rspamd.value.without.length > 0) {
    await teardown()
    throw new Error(`the tests need all of rspamd: ${rspamd.value.without.map(({ message }) => message).join('; ')}`)
  }
  const { host, port, controllerPort } = rspamd.value
  project.provide('clamav', { host: clamd.value.host, port: clamd.value.port })
  project.provide('rspamd', { host, port, controllerPort })
  return teardown
}
