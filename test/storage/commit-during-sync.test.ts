// Commits do not wait for syncs, on a disk whose syncs take half a second; and what nobody waits for is synced, too.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, expect, it } from 'vitest'
import { temporaryDirectory } from './embedded-home.ts'

let directory: string
let strace: ChildProcess
afterEach(async () => {
  strace.kill('SIGKILL')
  await rm(directory, { recursive: true, force: true, maxRetries: 5 })
})

it('commits while a sync is on, and syncs before long what nobody waits for', async () => {
  directory = await temporaryDirectory()
  const trace = join(directory, 'trace')
  const slow = ['-e', 'trace=fdatasync', '-e', 'inject=fdatasync:delay_enter=500000', '-e', 'signal=none']
  const script = new URL('./commit-during-sync.ts', import.meta.url).pathname
  // -D: the tracer is the child of what it traces, so that killing the one ends both.
  const args = ['-D', '-f', '-y', '-o', trace, ...slow, process.execPath, script, join(directory, 'data')]
  strace = spawn('strace', args, { stdio: ['ignore', 'pipe', 'ignore'] })
  strace.once('error', error => {
    throw new Error('this test needs strace (Debian package strace)', { cause: error })
  })
  const syncs = async () => (await readFile(trace, 'latin1')).match(/fdatasync\(.*-wal|fdatasync resumed/g)?.length ?? 0

  const said: string[] = []
  let before = 0
  for await (const line of createInterface({ input: strace.stdout! })) {
    said.push(line)
    before = await syncs()
    if (line === 'committed for nobody') break
  }
  expect(said).toEqual(['committed', 'committed during the sync', 'synced', 'committed for nobody'])
  await expect.poll(syncs, { timeout: 5000 }).toBeGreaterThan(before)
  strace.kill('SIGKILL')
  await once(strace, 'exit')
})
