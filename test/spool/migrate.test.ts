// Mail on its way from one home to another, and back: everything that can wait, waits there in the same state, also when the
// move was broken off at any step; and nobody has two homes for the same mail.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { stringify } from 'yaml'
import { openEmbedded, openPolicyStore } from '../../src/backends.ts'
import { openAwsPolicyStore } from '../../src/backends-aws.ts'
import { type DeliveryJob, HELD, type ScanJob } from '../../src/mail/job.ts'
import { mintQueueId } from '../../src/mail/queue-id.ts'
import { silentLog } from '../../src/platform/log.ts'
import { allowClient } from '../../src/policy/greylist-entries.ts'
import { CLIENTS } from '../../src/policy/greylist-key.ts'
import { ignoreSignature, isIgnored } from '../../src/scan/signature-ignore.ts'
import { readLedger } from '../../src/spool/ledger.ts'
import { faultsIn, migrate } from '../../src/spool/migrate.ts'
import { beginMove, moveUnderWay, whoIsAtWork } from '../../src/spool/occupancy.ts'
import type { Backends } from '../../src/storage/backends.ts'
import { acceptedEvent, acceptedMessage, octets } from '../contract/home.ts'
import { startGateway } from '../pipeline/gateway.ts'
import { elemta } from '../pipeline/program.ts'
import { awsHome, storageBlock } from '../storage/aws-home.ts'

// Several programs one after the other, which take their time on a busy machine.
vi.setConfig({ testTimeout: 120_000 })

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'elemta-migrate-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const embedded = (name: string, now = Date.now) => openEmbedded({ dataDir: join(directory, name), now })
const move = (source: Backends, target: Backends) =>
  migrate({ source, target, from: 'here', to: 'there', by: 'root', now: Date.now })

async function accept({ messages, records }: Backends, recipients: string[]): Promise<string> {
  const queueId = mintQueueId(Date.now())
  const draft = messages.draft(queueId)
  await draft.write(octets(3000, queueId.charCodeAt(18)))
  await draft.seal()
  await draft.commit()
  await records.create(acceptedMessage({ queueId, recipients, acceptedAt: Date.now() }), acceptedEvent(Date.now()))
  return queueId
}

/** A message in every state that waits; returns their ids by state. */
async function fill(home: Backends) {
  const { records, scanJobs, deliveryJobs } = home
  const scan = (queueId: string, attempt: number): ScanJob => {
    return { kind: 'scan', id: `${queueId}/scan/${attempt}`, queueId, recipients: ['a@example.com'], attempt }
  }
  const delivery = (queueId: string, recipients: string[]): DeliveryJob => {
    return { kind: 'delivery', id: `${queueId}/delivery/1`, queueId, recipients, attempt: 1, headers: [] }
  }
  const noted = (queueId: string, state: 'deferred' | 'held' | 'quarantined') =>
    records.note(queueId, [], [{ recipient: 'a@example.com', state }])
  const one = () => accept(home, ['a@example.com'])
  const [queued, deferred, held, quarantined] = [await one(), await one(), await one(), await one()]
  await scanJobs.enqueue(scan(queued, 1))
  await records.defer({ job: scan(deferred, 2), dueAt: Date.now() + 60_000 })
  await noted(deferred, 'deferred')
  await records.defer({ job: scan(held, 2), dueAt: HELD })
  await noted(held, 'held')
  await noted(quarantined, 'quarantined')

  const partly = await accept(home, ['a@example.com', 'b@example.com', 'c@example.com'])
  await deliveryJobs.enqueue(delivery(partly, ['b@example.com', 'c@example.com']))
  await records.note(partly, [], [{ recipient: 'a@example.com', state: 'delivered' }])
  const claim = { claimant: 'worker', until: Date.now() + 60_000 }
  await records.claim(partly, ['b@example.com'], claim, Date.now())
  const sending = { claimant: 'worker', attempt: 1, at: Date.now(), nextHop: 'smtp://mail.example.com' }
  await records.sending(partly, ['b@example.com'], sending)
  await records.claim(partly, ['b@example.com'], { ...claim, until: Date.now() }, Date.now())

  const dead = await one()
  await deliveryJobs.enqueue(delivery(dead, ['a@example.com']))
  const [lease] = await deliveryJobs.leaseOf(dead)
  await deliveryJobs.deadLetter(lease!, 'it crashed five times')

  const over = await one()
  await records.note(over, [], [{ recipient: 'a@example.com', state: 'delivered' }])
  return { queued, deferred, held, quarantined, partly, dead, over }
}

type Filled = Awaited<ReturnType<typeof fill>>

/** What is left of it at home: all but what has come to its end. */
async function expectAllThere(
  { records, messages, deliveryJobs, ...home }: Backends,
  ids: Filled,
  deadLetters = 1,
): Promise<void> {
  const statesOf = async (id: string) => (await records.get(id))?.recipients.map(({ state }) => state)
  expect(await statesOf(ids.queued)).toEqual(['queued'])
  expect(await statesOf(ids.deferred)).toEqual(['deferred'])
  expect(await statesOf(ids.held)).toEqual(['held'])
  expect(await statesOf(ids.quarantined)).toEqual(['quarantined'])
  expect(await statesOf(ids.partly)).toEqual(['delivered', 'queued', 'queued'])
  expect(await statesOf(ids.dead)).toEqual(['queued'])
  for (const id of [ids.queued, ids.partly, ids.quarantined]) {
    const chunks = []
    for await (const chunk of (await messages.open(id)).chunks()) chunks.push(chunk)
    expect(Buffer.concat(chunks).equals(octets(3000, id.charCodeAt(18)))).toBe(true)
  }
  expect((await records.deferralsOf(ids.held))[0]?.dueAt).toBe(HELD)
  const dead = { job: { queueId: ids.dead }, reason: 'it crashed five times' }
  expect(await deliveryJobs.dead(10)).toMatchObject(deadLetters === 1 ? [dead] : [])
  const ledger = await readLedger({ records, deliveryJobs, ...home })
  expect(ledger).toMatchObject({ held: 1, quarantined: 1, delivered: 1, imbalance: 0 })
  expect(ledger.queued).toEqual({ incoming: 4 - deadLetters, active: 0, deferred: 1, deadLetters })
  const claim = { claimant: 'next', until: Date.now() }
  const [doubt] = await records.claim(ids.partly, ['b@example.com'], claim, Date.now())
  expect(doubt?.sending).toMatchObject({ nextHop: 'smtp://mail.example.com' })
}

test('from a data directory to AWS and back: all that waits is there, and nothing is left behind', async () => {
  const [first, last, aws] = [await embedded('first'), await embedded('last'), await awsHome()]
  const there = await aws.open({ now: Date.now })
  try {
    const ids = await fill(first)
    const account = await move(first, there)
    expect(faultsIn(account)).toEqual([])
    expect(account.moved).toEqual({ messages: 6, recipients: 8, open: 7 })
    await expectAllThere(there, ids)
    expect(account.source.after).toMatchObject({ accepted: 9, delivered: 2, deleted: 7, imbalance: 0 })
    expect((await first.records.get(ids.queued))?.events.at(-1)).toMatchObject({ action: 'moved', by: 'root' })

    expect(faultsIn(await move(there, last))).toEqual([])
    await expectAllThere(last, ids)
    expect(faultsIn(await move(first, there))).toEqual([])
    expect((await move(first, there)).moved.messages).toBe(0)
  } finally {
    await Promise.all([first.close(), last.close(), there.close()])
    await aws.dispose()
  }
})

/** The ports, of which the call of that number fails, before or after it has had its effect. */
function failing(backends: Backends, state: { calls: number; failAt: number }): Backends {
  const wrap = <T extends object>(port: T): T =>
    new Proxy(port, {
      get(object, name) {
        const value = Reflect.get(object, name) as unknown
        if (typeof value !== 'function') return value
        return (...args: unknown[]) => {
          const result = (value as (...args: unknown[]) => unknown).apply(object, args)
          if (!(result instanceof Promise) || ++state.calls !== state.failAt) return result
          return result.then(() => Promise.reject(new Error('broken off')))
        }
      },
    })
  const { messages, records, scanJobs, deliveryJobs } = backends
  return {
    ...backends,
    ...{ messages: wrap(messages), records: wrap(records), scanJobs: wrap(scanJobs), deliveryJobs: wrap(deliveryJobs) },
  }
}

test('broken off again and again, each time a step later, and begun anew: nothing is lost, and nothing is doubled', async () => {
  let time = Date.now()
  const now = () => time
  const [source, target] = [await embedded('source', now), await embedded('target', now)]
  try {
    const ids = await fill(source)
    let broken = 0
    for (let failAt = 1; ; failAt++) {
      // Leases whose answer never came have run out.
      time += 3_600_000
      const state = { calls: 0, failAt }
      const done = await move(failing(source, state), failing(target, state)).catch(() => undefined)
      if (done !== undefined) break
      broken++
    }
    expect(broken).toBeGreaterThan(10)
    expect((await readLedger(source)).imbalance).toBe(0)
    expect((await readLedger(source)).deleted).toBe(7)
    // One that was taken up when the run broke off is tried again, as after a crash of its worker.
    await expectAllThere(target, ids, (await target.deliveryJobs.dead(10)).length)
  } finally {
    await Promise.all([source.close(), target.close()])
  }
})

test('the command prints the account, refuses a source that a gateway owns, and moves only once', async () => {
  const aws = await awsHome()
  const there = await aws.open({ now: Date.now })
  const source = await embedded('data')
  const file = join(directory, 'elemta.yaml')
  const config = { hostname: 'mx.example.com', data_dir: join(directory, 'data'), storage: storageBlock(aws.place) }
  writeFileSync(file, stringify({ ...config, relay: { domains: ['example.com'], networks: [] }, plugins: [] }))
  const command = (...more: string[]) => elemta('migrate', '--from', 'embedded', '--to', 'aws', '-c', file, ...more)
  try {
    const ids = await fill(source)
    const refused = await command()
    expect(refused.code).toBe(69)
    expect(refused.stderr).toContain('another Elemta process works on this data directory')
    await source.close()
    const counted = await command('--dry-run')
    expect(counted.stdout).toMatch(/accepted \(recipients\) +9/)
    expect((await readLedger(there)).accepted).toBe(0)

    const remembered = await openPolicyStore({ dataDir: join(directory, 'data') })
    await allowClient(remembered, '192.0.2.0/24', Date.now(), Date.now() + 3_600_000)
    await ignoreSignature(remembered, 'Eicar', { by: 'ann', now: Date.now(), until: Date.now() + 3_600_000 })
    await remembered.close()
    const moved = await command()
    expect(moved.code, moved.stderr).toBe(0)
    expect(moved.stdout).toContain('moved: 6 messages, 7 recipients that wait')
    await expectAllThere(there, ids)
    const again = await command('--json')
    expect(JSON.parse(again.stdout)).toMatchObject({ moved: { messages: 0 }, finished: { messages: 0 }, faults: [] })

    const remembering = openAwsPolicyStore(aws.place)
    expect(await remembering.get(CLIENTS, '192.0.2.0/24', Date.now())).toMatchObject({ value: { allowed: true } })
    expect(await isIgnored(remembering, 'Eicar', Date.now())).toBe(true)
    const finished = await command('--json', '--with-finished')
    expect(JSON.parse(finished.stdout)).toMatchObject({ finished: { messages: 1, recipients: 1 }, faults: [] })
    expect((await there.records.get(ids.over))?.recipients[0]?.state).toBe('delivered')
    await remembering.close()
    expect((await elemta('migrate', '--from', 'aws', '--to', 'aws', '-c', file)).code).toBe(64)
  } finally {
    await source.close()
    await there.close()
    await aws.dispose()
  }
})

test('mail of an AWS home is moved by nobody while somebody works on it or moves it, and then by one', async () => {
  const aws = await awsHome()
  const file = join(directory, 'elemta.yaml')
  const config = { hostname: 'mx.example.com', data_dir: join(directory, 'data'), storage: storageBlock(aws.place) }
  writeFileSync(file, stringify({ ...config, relay: { domains: ['example.com'], networks: [] }, plugins: [] }))
  const store = openAwsPolicyStore(aws.place)
  const parts = { store, now: Date.now, log: silentLog }
  const command = () => elemta('migrate', '--from', 'aws', '--to', 'embedded', '-c', file)
  try {
    const gateway = await startGateway({ config: { storage: config.storage, plugins: [] } })
    await expect.poll(() => whoIsAtWork(parts)).toHaveLength(1)
    const refused = await command()
    expect([refused.code, refused.stderr]).toEqual([
      75,
      expect.stringMatching(/ingress\+scan.* at work within the last/),
    ])
    await gateway.stop()
    const move = await beginMove(parts, { by: 'ann', to: 'elsewhere' })
    const second = await command()
    expect([second.code, second.stderr]).toEqual([75, expect.stringContaining('ann moves its mail to elsewhere')])
    await expect(startGateway({ config: { storage: config.storage, plugins: [] } })).rejects.toThrow()
    if ('stop' in move) await move.stop()
    const done = await command()
    expect(done.code, done.stderr).toBe(0)
    expect(await moveUnderWay(parts)).toBeUndefined()
  } finally {
    await store.close()
    await aws.dispose()
  }
})
