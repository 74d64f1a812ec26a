// The shim that makes every sync slower and counts them (slow-sync.c), built with gcc for this run.
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from './program.ts'

export type SyncShim = Readonly<{
  /** For the environment of a server: every sync waits `microseconds` longer and is counted. */
  environment(microseconds: number): Record<string, string>
  /** Syncs of all servers so far. */
  count(): number
}>

/** Throws when there is no compiler. */
export async function buildSyncShim(directory: string): Promise<SyncShim> {
  const library = join(directory, 'slow-sync.so')
  const counter = join(directory, 'syncs')
  await run('gcc', ['-O2', '-shared', '-fPIC', '-o', library, join(import.meta.dirname, 'slow-sync.c'), '-ldl'])
  writeFileSync(counter, Buffer.alloc(8))
  chmodSync(counter, 0o666) // Postfix's processes are another user's
  return {
    environment: microseconds => ({
      LD_PRELOAD: library,
      SLOW_SYNC_US: String(microseconds),
      SLOW_SYNC_COUNT: counter,
    }),
    count: () => Number(readFileSync(counter).readBigUInt64LE()),
  }
}
