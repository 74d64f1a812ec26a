// The contract of `together`: several writes as one step. A home with transactions does all or none; every home does
// them in order and tells of a failure.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { mintQueueId } from '../../src/mail/queue-id.ts'
import type { Backends } from '../../src/storage/backends.ts'
import {
  acceptedEvent,
  acceptedMessage,
  deliveryJob,
  type Home,
  type MakeHome,
  scanJob,
  untilTestEnds,
} from './home.ts'
import { listed, read } from './message-store.ts'

export function togetherContract(makeHome: MakeHome, { allOrNone }: { allOrNone: boolean }): void {
  describe('together', () => {
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
    const reopen = async () => {
      await backends.close()
      backends = await home.open()
    }
    const sealedDraft = async (queueId: string, size: number) => {
      const draft = backends.messages.draft(queueId)
      await draft.write(Buffer.alloc(size, 'x'))
      await draft.seal()
      return draft
    }

    it.each([2000, 200_000])('accepts a message of %i octets in one step', async size => {
      const queueId = mintQueueId(home.now())
      const draft = await sealedDraft(queueId, size)
      const job = { ...scanJob(queueId), queueId }
      await backends.together(
        () => draft.commit(),
        () => backends.records.create(acceptedMessage({ queueId, size }), acceptedEvent()),
        () => backends.scanJobs.enqueue(job),
      )
      await reopen()
      expect((await read(backends.messages, queueId)).length).toBe(size)
      expect((await backends.records.get(queueId))?.message.size).toBe(size)
      expect((await backends.scanJobs.lease(5, untilTestEnds)).map(lease => lease.job)).toEqual([job])
    })

    it('moves a job from one queue to the next', async () => {
      const message = acceptedMessage()
      await backends.records.create(message, acceptedEvent())
      await backends.scanJobs.enqueue(scanJob('a'))
      const [lease] = await backends.scanJobs.lease(1, untilTestEnds)
      const waiting = backends.deliveryJobs.lease(1, untilTestEnds)
      await backends.together(
        () => backends.records.note(message.queueId, [{ ...acceptedEvent(), at: home.now() }], []),
        () => backends.deliveryJobs.enqueue(deliveryJob('a')),
        () => backends.scanJobs.done(lease!),
      )
      expect((await waiting)[0]?.job.id).toBe('a')
      expect((await backends.scanJobs.tally()).active.jobs).toBe(0)
    })

    it('says so when one of the writes fails', async () => {
      const message = acceptedMessage()
      await backends.records.create(message, acceptedEvent())
      const twice = () => backends.records.create(message, acceptedEvent())
      await expect(backends.together(twice, () => backends.scanJobs.enqueue(scanJob('a')))).rejects.toThrow()
      await expect(backends.together(() => backends.scanJobs.enqueue(scanJob('a')), twice)).rejects.toThrow()
    })

    if (!allOrNone) return

    it.each([2000, 200_000])('does all or none (%i octets)', async size => {
      const message = acceptedMessage()
      await backends.records.create(message, acceptedEvent())
      const queueId = mintQueueId(home.now())
      const draft = await sealedDraft(queueId, size)
      await expect(
        backends.together(
          () => draft.commit(),
          () => backends.records.note(message.queueId, [], [{ recipient: 'user@example.com', state: 'delivered' }]),
          () => backends.scanJobs.enqueue(scanJob('a')),
          () => backends.records.create(message, acceptedEvent()),
        ),
      ).rejects.toThrow()
      await draft.discard()
      const expectNone = async () => {
        expect(await listed(backends.messages)).toEqual([])
        expect((await backends.records.get(message.queueId))?.recipients[0]?.state).toBe('queued')
        expect((await backends.scanJobs.tally()).incoming.jobs).toBe(0)
      }
      await expectNone()
      await reopen()
      await expectNone()
    })

    it('does none when a call throws instead of promising', async () => {
      const unsealed = backends.messages.draft(mintQueueId(home.now()))
      await expect(
        backends.together(
          () => backends.scanJobs.enqueue(scanJob('a')),
          () => unsealed.commit(),
        ),
      ).rejects.toThrow()
      expect((await backends.scanJobs.tally()).incoming.jobs).toBe(0)
    })

    it('lets others succeed while one fails beside them', async () => {
      const message = acceptedMessage()
      await backends.records.create(message, acceptedEvent())
      const results = await Promise.allSettled([
        backends.scanJobs.enqueue(scanJob('a')),
        backends.together(
          () => backends.scanJobs.enqueue(scanJob('b')),
          () => backends.records.create(message, acceptedEvent()),
        ),
        backends.together(
          () => backends.scanJobs.enqueue(scanJob('c')),
          () => backends.deliveryJobs.enqueue(deliveryJob('c')),
        ),
      ])
      expect(results.map(result => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
      const leases = await backends.scanJobs.lease(5, untilTestEnds)
      expect(leases.map(lease => lease.job.id)).toEqual(['a', 'c'])
    })
  })
}
