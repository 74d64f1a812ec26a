// The contract of the record store port: what every adapter must do, on top of nothing but the port.
import { describe, expect, it } from 'vitest'
import { HELD } from '../../src/mail/job.ts'
import { mintQueueId } from '../../src/mail/queue-id.ts'
import type { RecipientState, TraceEvent } from '../../src/mail/record.ts'
import type { RecordStore } from '../../src/storage/record-store.ts'
import { acceptedEvent, acceptedMessage, deliveryJob, homeForEach, type MakeHome, scanJob } from './home.ts'

const AT = 1_700_000_000_000
const delivered = (recipient: string): TraceEvent => ({
  at: AT + 5000,
  event: 'delivered',
  recipient,
  nextHop: 'smtp://192.0.2.25:25',
  reply: '250 2.0.0 Ok: queued',
  seconds: 0.25,
})
const held: TraceEvent = { at: AT + 9000, event: 'held', recipients: ['user@example.com'], why: 'by an operator' }

export function recordStoreContract(makeHome: MakeHome): void {
  describe('record store', () => {
    let records: RecordStore
    const reopen = homeForEach(makeHome, opened => {
      records = opened.records
    })
    const create = async (options: Parameters<typeof acceptedMessage>[0] = {}) => {
      const message = acceptedMessage(options)
      await records.create(message, acceptedEvent())
      return message
    }
    const stateOf = async (queueId: string) =>
      Object.fromEntries((await records.get(queueId))!.recipients.map(({ recipient, state }) => [recipient, state]))

    it('gives back what was accepted, every recipient queued, also after reopening', async () => {
      const message = await create({ recipients: ['z@example.com', 'a@example.com', 'Ünï@example.com'] })
      const record = {
        message,
        recipients: ['z@example.com', 'a@example.com', 'Ünï@example.com'].map(recipient => ({
          recipient,
          state: 'queued',
        })),
        events: [acceptedEvent()],
      }
      expect(await records.get(message.queueId)).toEqual(record)
      await reopen()
      expect(await records.get(message.queueId)).toEqual(record)
      expect(await records.get(mintQueueId(AT))).toBeUndefined()
    })

    it('refuses a queue id that exists and leaves that record as it is', async () => {
      const message = await create()
      await expect(
        records.create({ ...message, size: 1, envelope: { ...message.envelope, recipients: [] } }, acceptedEvent()),
      ).rejects.toThrow()
      expect((await records.get(message.queueId))?.message).toEqual(message)
      expect((await records.tally()).accepted).toBe(1)
    })

    it('tells the story in order, over restarts', async () => {
      const { queueId } = await create({ recipients: ['a@example.com', 'b@example.com'] })
      await records.note(queueId, [{ at: AT + 1, event: 'verdict', decision: 'deliver', why: 'clean' }], [])
      await reopen()
      await records.note(
        queueId,
        [delivered('a@example.com'), held],
        [
          { recipient: 'a@example.com', state: 'delivered' },
          { recipient: 'b@example.com', state: 'held' },
        ],
      )
      await reopen()
      const record = await records.get(queueId)
      expect(record?.events.map(event => event.event)).toEqual(['accepted', 'verdict', 'delivered', 'held'])
      expect(record?.events[2]).toEqual(delivered('a@example.com'))
      expect(await stateOf(queueId)).toEqual({ 'a@example.com': 'delivered', 'b@example.com': 'held' })
    })

    it.each<RecipientState>(['delivered', 'failed', 'discarded', 'deleted'])(
      'never leaves the end state %s, but keeps what is said about it',
      async end => {
        const { queueId } = await create({ recipients: ['user@example.com', 'other@example.com'] })
        await records.note(queueId, [], [{ recipient: 'user@example.com', state: end }])
        await records.note(
          queueId,
          [held],
          [
            { recipient: 'user@example.com', state: 'held' },
            { recipient: 'other@example.com', state: 'held' },
          ],
        )
        expect(await stateOf(queueId)).toEqual({ 'user@example.com': end, 'other@example.com': 'held' })
        expect((await records.get(queueId))?.events).toEqual([acceptedEvent(), held])
      },
    )

    it('moves a recipient as often as needed before its end', async () => {
      const { queueId } = await create()
      const recipient = 'user@example.com'
      for (const state of ['deferred', 'queued', 'quarantined', 'held', 'queued'] as const) {
        await records.note(queueId, [], [{ recipient, state }])
        expect(await stateOf(queueId)).toEqual({ [recipient]: state })
      }
    })

    it('says so when there is no record to note something in', async () => {
      await expect(records.note(mintQueueId(AT), [held], [])).rejects.toThrow()
    })

    it('finds by message id, sender and recipient, newest first, without regard to case', async () => {
      const sent = []
      for (const n of [1, 2, 3]) {
        const acceptedAt = AT + n * 1000
        const queueId = mintQueueId(acceptedAt)
        await create({ queueId, acceptedAt, recipients: ['Mixed.Case@example.com', 'other@example.com'] })
        sent.unshift(queueId)
      }
      const queueId = mintQueueId(AT + 9000)
      await create({ queueId, acceptedAt: AT + 9000, reversePath: 'MIXED.case@example.com', messageId: '<m@x>' })

      const ids = async (query: Parameters<RecordStore['find']>[0]) =>
        (await records.find(query)).map(record => record.message.queueId)
      expect(await ids({ address: 'mixed.case@EXAMPLE.com', limit: 10 })).toEqual([queueId, ...sent])
      expect(await ids({ address: 'mixed.case@EXAMPLE.com', limit: 2 })).toEqual([queueId, sent[0]])
      expect(await ids({ address: 'sender@example.org', limit: 10 })).toEqual(sent)
      expect(await ids({ messageId: '<m@x>', limit: 10 })).toEqual([queueId])
      expect(await ids({ messageId: '<M@X>', limit: 10 })).toEqual([])
      expect(await ids({ address: 'nobody@example.com', limit: 10 })).toEqual([])
    })

    it('keeps deferrals until they are due and taken back', async () => {
      const late = { job: deliveryJob('late'), dueAt: AT + 3000 }
      const early = { job: scanJob('early', ['a@example.com', 'b@example.com']), dueAt: AT + 1000 }
      const middle = { job: deliveryJob('middle'), dueAt: AT + 2000 }
      for (const deferral of [late, early, middle]) await records.defer(deferral)
      await reopen()
      expect(await records.due(AT + 999, 10)).toEqual([])
      expect(await records.due(AT + 2000, 10)).toEqual([early, middle])
      expect(await records.due(AT + 5000, 2)).toEqual([early, middle])
      expect(await records.due(AT + 5000, 1, 'delivery')).toEqual([middle])
      expect(await records.due(AT + 5000, 10, 'scan')).toEqual([early])
      expect(await records.tallyDeferrals()).toMatchObject({ deferrals: 3, recipients: 4 })
      await records.undefer('early')
      await records.undefer('early')
      expect(await records.due(AT + 5000, 10)).toEqual([middle, late])
      expect(await records.tallyDeferrals()).toMatchObject({ deferrals: 2, recipients: 2 })
    })

    it('replaces the deferral of a job', async () => {
      const job = deliveryJob('a')
      await records.defer({ job, dueAt: AT + 1000 })
      const again = { job: { ...job, attempt: 2, recipients: ['x@example.com', 'y@example.com'] }, dueAt: AT + 2000 }
      await records.defer(again)
      expect(await records.due(AT + 5000, 10)).toEqual([again])
      expect(await records.tallyDeferrals()).toMatchObject({ deferrals: 1, recipients: 2 })
    })

    it('knows since when the oldest deferred message has been here', async () => {
      expect(await records.tallyDeferrals()).toEqual({ deferrals: 0, recipients: 0 })
      const old = await create({ acceptedAt: AT - 7000 })
      const young = await create({ acceptedAt: AT - 1000 })
      for (const { queueId } of [young, old]) {
        await records.defer({ job: { ...deliveryJob(queueId), queueId }, dueAt: AT })
      }
      expect(await records.tallyDeferrals()).toEqual({ deferrals: 2, recipients: 2, oldestAcceptedAt: AT - 7000 })
    })

    it('never finds a held deferral due, nor counts it as a deferral', async () => {
      const { queueId } = await create({ recipients: ['a@example.com', 'b@example.com'] })
      const job = (line: string) => ({ ...deliveryJob(`${queueId}/delivery/1/${line}`), queueId })
      const held = { job: job('held'), dueAt: HELD }
      const waiting = { job: job('waiting'), dueAt: AT }
      await records.defer(held)
      await records.defer(waiting)
      await records.defer({ job: { ...job('x'), id: `${queueId}0/delivery/1`, queueId: `${queueId}0` }, dueAt: AT })
      await reopen()
      expect(await records.due(Number.MAX_SAFE_INTEGER, 9)).toHaveLength(2)
      expect((await records.tallyDeferrals()).deferrals).toBe(2)
      expect(await records.deferralsOf(queueId)).toEqual([held, waiting])
      await records.defer({ ...held, dueAt: AT })
      expect(await records.due(AT, 9)).toHaveLength(3)
      expect(await records.deferralsOf(mintQueueId(AT))).toEqual([])
    })

    it('counts recipients for the ledger', async () => {
      const none = {
        queued: 0,
        deferred: 0,
        held: 0,
        quarantined: 0,
        delivered: 0,
        failed: 0,
        discarded: 0,
        deleted: 0,
      }
      expect(await records.tally()).toEqual({ accepted: 0, states: none })
      const recipients = ['a@example.com', 'b@example.com', 'c@example.com', 'd@example.com']
      const { queueId } = await create({ recipients })
      await create()
      const states: RecipientState[] = ['delivered', 'failed', 'deferred', 'quarantined']
      await records.note(
        queueId,
        [],
        recipients.map((recipient, n) => ({ recipient, state: states[n]! })),
      )
      // Said twice, counted once.
      await records.note(queueId, [], [{ recipient: 'a@example.com', state: 'delivered' }])
      const tally = {
        accepted: 5,
        states: { ...none, queued: 1, delivered: 1, failed: 1, deferred: 1, quarantined: 1 },
      }
      expect(await records.tally()).toEqual(tally)
      await reopen()
      expect(await records.tally()).toEqual(tally)
    })
  })
}
