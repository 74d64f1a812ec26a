// Marks of those at work on a home that several share, and of one who moves its mail away: nobody moves while somebody
// works, one moves at a time, nobody begins during a move, and what died is forgotten.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openPolicyStore } from '../../src/backends.ts'
import { silentLog } from '../../src/platform/log.ts'
import { beginMove, beginWork, moveUnderWay, sayAtWork, whoIsAtWork } from '../../src/spool/occupancy.ts'
import type { PolicyStore } from '../../src/storage/policy-store.ts'

let directory: string
let store: PolicyStore
let time: number
const log = silentLog
const parts = () => ({ store, now: () => time, log })

beforeEach(async () => {
  time = 1_800_000_000_000
  directory = mkdtempSync(join(tmpdir(), 'elemta-occupancy-'))
  store = await openPolicyStore({ dataDir: directory })
})
afterEach(async () => {
  await store.close()
  rmSync(directory, { recursive: true })
})

test('who works is known until he stops; who died, for three minutes', async () => {
  const ingress = await beginWork(parts(), 'ingress')
  await sayAtWork(parts(), 'functions')
  await expect
    .poll(async () => (await whoIsAtWork(parts())).toSorted())
    .toEqual(['functions', expect.stringMatching(/^ingress /)])
  await ingress.stop()
  expect(await whoIsAtWork(parts())).toEqual(['functions'])
  time += 179_000
  expect(await whoIsAtWork(parts())).toEqual(['functions'])
  time += 1000
  expect(await whoIsAtWork(parts())).toEqual([])
})

test('one moves at a time, and nobody begins to work meanwhile', async () => {
  const first = await beginMove(parts(), { by: 'ann', to: 'aws mail' })
  if ('taken' in first) throw new Error(first.taken)
  const taken = await beginMove(parts(), { by: 'bob', to: 'aws other' })
  expect(taken).toEqual({ taken: expect.stringMatching(/^ann moves its mail to aws mail since 2027-/) })
  await expect(beginWork(parts(), 'scan')).rejects.toMatchObject({
    exitCode: 75,
    message: expect.stringMatching(/^ann moves its mail .*: start again when that has ended$/),
  })
  await first.stop()
  expect(await moveUnderWay(parts())).toBeUndefined()
  const second = await beginMove(parts(), { by: 'bob', to: 'aws other' })
  expect(second).toHaveProperty('stop')
  // Died over it.
  time += 180_000
  const third = await beginMove(parts(), { by: 'eve', to: 'aws other' })
  expect(third).toHaveProperty('stop')
  for (const move of [second, third]) if ('stop' in move) await move.stop()
})

test('a store that fails keeps nobody from his work', async () => {
  const broken = () => Promise.reject(new Error('out of order'))
  const work = await beginWork(
    { ...parts(), store: { ...store, get: broken, update: broken, remove: broken } },
    'ingress',
  )
  await work.stop()
})
