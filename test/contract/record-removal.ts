// The contract of the record store port, as far as it is about the end of records.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { HELD } from '../../src/mail/job.ts'
import { mintQueueId } from '../../src/mail/queue-id.ts'
import type { RecipientState } from '../../src/mail/record.ts'
import type { Backends } from '../../src/storage/backends.ts'
import { acceptedEvent, acceptedMessage, deliveryJob, type Home, type MakeHome, scanJob } from './home.ts'

const [A, B] = ['a@example.com', 'b@example.com'] as const

export function recordRemovalContract(makeHome: MakeHome): void {
  describe('the end of records', () => {
    let home: Home
    let backends: Backends
    beforeEach(async () => {
      home = await makeHome()
      backends = await home.open()
    })
    afterEach(async () => {
      await backends.close()
      await home.dispose()
    })

    /** A message accepted now, with its recipients in these states at once, and an event that says so. */
    async function message(...states: RecipientState[]): Promise<string> {
      await home.advance(1)
      const { records } = backends
      const at = home.now()
      const queueId = mintQueueId(at)
      const recipients = [A, B].slice(0, states.length)
      await records.create(acceptedMessage({ queueId, acceptedAt: at, recipients }), acceptedEvent(at))
      await end(queueId, ...states)
      return queueId
    }
    async function end(queueId: string, ...states: RecipientState[]): Promise<void> {
      const changes = states.map((state, n) => ({ recipient: [A, B][n]!, state }))
      const event = { at: home.now(), event: 'operator', action: 'test', by: 'me', recipients: [A] } as const
      await backends.records.note(queueId, [event], changes)
    }
    const forgetAll = () => backends.records.forget(home.now(), { limit: 100 })
    const isThere = async (queueId: string) => (await backends.records.get(queueId)) !== undefined

    it('removes what has ended, whatever its end, and keeps what it counted', async () => {
      const ids = [await message('delivered', 'failed'), await message('discarded', 'deleted')]
      const before = await backends.records.tally()
      await home.advance(1)
      expect(await forgetAll()).toEqual({ forgotten: 2 })
      for (const id of ids) expect(await isThere(id)).toBe(false)
      expect(await backends.records.find({ address: A, limit: 9 })).toEqual([])
      expect(await backends.records.tally()).toEqual(before)
      expect(await forgetAll()).toEqual({ forgotten: 0 })
    })

    it.each(['queued', 'deferred', 'held', 'quarantined'] as const)(
      'keeps what is %s for one recipient',
      async state => {
        const id = await message('delivered', state)
        await home.advance(1)
        expect(await forgetAll()).toEqual({ forgotten: 0 })
        expect((await backends.records.get(id))?.events).toHaveLength(2)
        await end(id, 'delivered', 'deleted')
        await home.advance(1)
        expect(await forgetAll()).toEqual({ forgotten: 1 })
      },
    )

    it('counts from the end of a message, not from its beginning', async () => {
      const id = await message('held')
      await home.advance(1000)
      await end(id, 'delivered')
      const ended = home.now()
      expect(await backends.records.forget(ended, { limit: 100 })).toEqual({ forgotten: 0 })
      expect(await backends.records.forget(ended + 1, { limit: 100 })).toEqual({ forgotten: 1 })
    })

    it('keeps what has a job, a dead letter or a deferral, also one that is held', async () => {
      const job = async () => ({ queueId: await message('delivered') })
      const scan = { ...scanJob('x'), ...(await job()) }
      const delivery = { ...deliveryJob('x'), ...(await job()) }
      const deferred = { ...deliveryJob('x'), ...(await job()) }
      const dead = { ...scanJob('x'), ...(await job()) }
      const free = await message('delivered')
      const { scanJobs, deliveryJobs, records } = backends
      await scanJobs.enqueue({ ...dead, id: `${dead.queueId}/scan/1` })
      const [lease] = await scanJobs.lease(1, new AbortController().signal)
      await scanJobs.deadLetter(lease!, 'poison')
      await scanJobs.enqueue({ ...scan, id: `${scan.queueId}/scan/1` })
      await deliveryJobs.enqueue({ ...delivery, id: `${delivery.queueId}/delivery/1/apart` })
      await records.defer({ job: { ...deferred, id: `${deferred.queueId}/delivery/2` }, dueAt: HELD })
      await home.advance(1)
      expect(await forgetAll()).toEqual({ forgotten: 1 })
      expect(await isThere(free)).toBe(false)
      for (const { queueId } of [scan, delivery, deferred, dead]) expect(await isThere(queueId)).toBe(true)
    })

    it('keeps what has a content', async () => {
      const id = await message('delivered')
      const draft = backends.messages.draft(id)
      await draft.write(Buffer.from('x'))
      await draft.seal()
      await draft.commit()
      await home.advance(1)
      expect(await forgetAll()).toEqual({ forgotten: 0 })
      await backends.messages.remove(id)
      expect(await forgetAll()).toEqual({ forgotten: 1 })
    })

    it('removes one alone, where it has ended', async () => {
      const [ended, other, open] = [await message('delivered'), await message('delivered'), await message('held')]
      await home.advance(1)
      for (const queueId of [ended, open]) await backends.records.forget(home.now(), { queueId })
      expect(await Promise.all([ended, other, open].map(isThere))).toEqual([false, true, true])
    })

    it('goes through them page by page, past what stays', async () => {
      const ids: string[] = []
      for (const state of ['held', 'delivered', 'held', 'delivered', 'delivered'] as const)
        ids.push(await message(state))
      await home.advance(1)
      const first = await backends.records.forget(home.now(), { limit: 2 })
      expect(first).toEqual({ forgotten: 1, next: ids[1] })
      const second = await backends.records.forget(home.now(), { after: first.next!, limit: 2 })
      expect(second).toEqual({ forgotten: 1, next: ids[3] })
      expect(await backends.records.forget(home.now(), { after: second.next!, limit: 2 })).toEqual({ forgotten: 1 })
      expect(await Promise.all(ids.map(isThere))).toEqual([true, false, true, false, false])
    })
  })
}
