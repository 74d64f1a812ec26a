// What failures between two writes leave, made on purpose, and what the sweep makes of it.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { AwsBackends } from '../../src/backends-aws.ts'
import { mintQueueId } from '../../src/mail/queue-id.ts'
import type { RecipientState } from '../../src/mail/record.ts'
import { silentLog } from '../../src/platform/log.ts'
import { readLedger } from '../../src/spool/ledger.ts'
import { type OrphanParts, sweepOrphans } from '../../src/spool/sweep-orphans.ts'
import { acceptedEvent, acceptedMessage, octets, untilTestEnds } from '../contract/home.ts'
import { listed } from '../contract/message-store.ts'
import { type AwsHome, awsHome } from '../storage/aws-home.ts'

const HOUR = 3_600_000
const TO = 'user@example.com'

describe('the sweep of orphans', () => {
  let home: AwsHome
  let backends: AwsBackends
  beforeEach(async () => {
    home = await awsHome()
    backends = await home.open()
  })
  afterEach(async () => {
    await backends.close()
    await home.dispose()
  })
  /** Later than now, as S3 has it: contents are stored by its clock. */
  const later = () => Date.now() + 3 * HOUR
  const sweep = (more: Partial<OrphanParts> = {}) =>
    sweepOrphans({ backends, now: later, log: silentLog, minAge: 2 * HOUR, ...more })

  async function content(queueId = mintQueueId(Date.now())): Promise<string> {
    const draft = backends.messages.draft(queueId)
    await draft.write(octets(100))
    await draft.seal()
    await draft.commit()
    return queueId
  }
  const record = (queueId: string, acceptedAt = Date.now()) =>
    backends.records.create(acceptedMessage({ queueId, acceptedAt }), acceptedEvent(acceptedAt))
  const scan = (queueId: string) =>
    backends.scanJobs.enqueue({ kind: 'scan', id: `${queueId}/scan/1`, queueId, recipients: [TO], attempt: 1 })
  const stateOf = async (queueId: string): Promise<RecipientState | undefined> =>
    (await backends.records.get(queueId))?.recipients[0]?.state

  it('leaves alone what is on its way, leased, deferred, in quarantine, or young', async () => {
    const [queued, leased, deferred, quarantined] = [await content(), await content(), await content(), await content()]
    for (const queueId of [queued, leased, deferred, quarantined]) await record(queueId)
    await scan(leased)
    expect(await backends.scanJobs.lease(1, untilTestEnds)).toHaveLength(1)
    await scan(queued)
    const job = {
      kind: 'delivery',
      id: `${deferred}/delivery/2`,
      queueId: deferred,
      recipients: [TO],
      attempt: 2,
    } as const
    await backends.records.defer({ job: { ...job, headers: [] }, dueAt: Date.now() + HOUR })
    await backends.records.note(deferred, [], [{ recipient: TO, state: 'deferred' }])
    await backends.records.note(quarantined, [], [{ recipient: TO, state: 'quarantined' }])
    expect(await sweep()).toEqual({ removed: 0, missing: 0, stuck: 0 })
    await content()
    expect(await sweep({ now: Date.now })).toEqual({ removed: 0, missing: 0, stuck: 0 })
    expect(await listed(backends.messages)).toHaveLength(5)
  })

  it('removes a content that no record names', async () => {
    await content()
    expect(await sweep()).toEqual({ removed: 1, missing: 0, stuck: 0 })
    expect(await listed(backends.messages)).toEqual([])
  })

  it('removes what was left of a message that is at its end', async () => {
    const queueId = await content()
    await record(queueId)
    await backends.records.note(queueId, [], [{ recipient: TO, state: 'delivered' }])
    expect(await sweep()).toEqual({ removed: 1, missing: 0, stuck: 0 })
    expect(await listed(backends.messages)).toEqual([])
    expect(await stateOf(queueId)).toBe('delivered')
  })

  it('ends a message that was never wholly accepted, and the ledger balances', async () => {
    const queueId = await content()
    await record(queueId)
    expect((await readLedger(backends)).imbalance).toBe(1)
    expect(await sweep()).toEqual({ removed: 1, missing: 0, stuck: 0 })
    expect(await stateOf(queueId)).toBe('deleted')
    expect((await backends.records.get(queueId))?.events.at(-1)).toMatchObject({ event: 'operator', by: 'sweep' })
    expect(await listed(backends.messages)).toEqual([])
    expect((await readLedger(backends)).imbalance).toBe(0)
  })

  it('tells of a message that was worked on and has no job, and keeps it', async () => {
    const queueId = await content()
    await record(queueId)
    const verdict = { at: Date.now(), event: 'verdict', decision: 'deliver', why: 'clean' } as const
    await backends.records.note(queueId, [verdict], [])
    expect(await sweep()).toEqual({ removed: 0, missing: 0, stuck: 1 })
    expect(await listed(backends.messages)).toEqual([queueId])
  })

  it('tells of a message that waits without its content', async () => {
    const queueId = await content()
    await record(queueId)
    await scan(queueId)
    await backends.messages.remove(queueId)
    expect(await sweep()).toEqual({ removed: 0, missing: 1, stuck: 0 })
    expect(await stateOf(queueId)).toBe('queued')
  })

  it('looks only at the young of the old when it is told to', async () => {
    await content()
    expect(await sweep({ now: () => Date.now() + 9 * HOUR, window: HOUR })).toMatchObject({ removed: 0 })
    expect(await sweep({ now: () => Date.now() + 2.5 * HOUR, window: HOUR })).toMatchObject({ removed: 1 })
  })
})
