// kill -9 in the middle of accepting and delivering, and power cuts: nothing is lost, nothing comes that was refused, and
// a crash costs a second copy at most. `npm run bench -- crash` does the same on a larger scale.
import { rm } from 'node:fs/promises'
import { expect, onTestFinished, test } from 'vitest'
import { runCrashLoop } from './crash-loop.ts'
import { temporaryDirectory } from './gateway.ts'
import { cutPower } from './power-cut.ts'

const KILLS = 6

async function place(): Promise<string> {
  const directory = await temporaryDirectory()
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

test('200 messages through 6 crashes', { timeout: 60_000 }, async () => {
  const result = await runCrashLoop({ messages: 200, kills: KILLS, seed: Date.now(), directory: await place() })
  const nothing = { lost: 0, refusedButDelivered: 0, corrupt: 0, undelivered: 0, imbalance: 0 }
  expect(result).toMatchObject(nothing)
  expect(result.acknowledged).toBeGreaterThanOrEqual(200)
  // Each second copy was foretold.
  expect(result.doubles).toBeLessThanOrEqual(result.inDoubt)
})

test('power cuts through accepting and delivering', { timeout: 60_000 }, async () => {
  const work = { messages: 40, cuts: 12, restarts: 1 }
  const { faults, acknowledged } = await cutPower({ ...work, seed: Date.now(), directory: await place() })
  expect(faults).toEqual([])
  expect(acknowledged).toBeGreaterThanOrEqual(40)
})
