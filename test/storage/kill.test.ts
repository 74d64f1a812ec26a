// kill -9 in the middle of accepting, again and again on one spool: what was acknowledged is there after each start.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, it } from 'vitest'
import { findFaults } from './acknowledged.ts'
import { temporaryDirectory } from './embedded-home.ts'

const script = new URL('./accept-messages.ts', import.meta.url).pathname

/** Starts a process that accepts until it is killed, which happens as soon as it has said this many lines. */
async function linesUntilKilled(dataDir: string, lines: number): Promise<string[]> {
  const process = spawn(globalThis.process.execPath, [script, dataDir, 'Infinity'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const said: string[] = []
  const ended = once(process, 'close')
  createInterface({ input: process.stdout }).on('line', line => {
    said.push(line)
    if (said.length === lines) process.kill('SIGKILL')
  })
  await ended
  expect(said.length).toBeGreaterThanOrEqual(lines)
  return said
}

it('has everything it acknowledged before it was killed, and nothing half-written', async () => {
  const directory = await temporaryDirectory()
  const dataDir = join(directory, 'data')
  const said: string[] = []
  for (const lines of [1, 40, 150]) {
    said.push(...(await linesUntilKilled(dataDir, lines + Math.floor(Math.random() * 20))))
    expect(await findFaults(dataDir, said)).toEqual([])
  }
  await rm(directory, { recursive: true })
})
