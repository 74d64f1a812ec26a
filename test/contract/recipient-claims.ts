// The contract of the record store port, second part: claims on recipients, and the marks of final dots.
import { describe, expect, it } from 'vitest'
import { mintQueueId } from '../../src/mail/queue-id.ts'
import { ClaimLostError, type RecordStore, type Sending } from '../../src/storage/record-store.ts'
import { acceptedEvent, acceptedMessage, homeForEach, type MakeHome } from './home.ts'

const AT = 1_700_000_000_000

export function recipientClaimsContract(makeHome: MakeHome): void {
  describe('claims on recipients', () => {
    let records: RecordStore
    const reopen = homeForEach(makeHome, opened => {
      records = opened.records
    })
    const create = async (options: Parameters<typeof acceptedMessage>[0] = {}) => {
      const message = acceptedMessage(options)
      await records.create(message, acceptedEvent())
      return message
    }

    it('lets one worker at a time try a recipient', async () => {
      const both = ['a@example.com', 'b@example.com']
      const { queueId } = await create({ recipients: both })
      const claim = async (claimant: string, recipients: string[], now: number) =>
        (await records.claim(queueId, recipients, { claimant, until: now + 1000 }, now)).map(
          ({ recipient }) => recipient,
        )

      expect(await claim('one', ['a@example.com'], AT)).toEqual(['a@example.com'])
      expect(await claim('two', both, AT)).toEqual(['b@example.com'])
      expect(await claim('one', both, AT + 999)).toEqual(['a@example.com'])
      // Two's time is over, one has claimed again.
      expect(await claim('three', both, AT + 1000)).toEqual(['b@example.com'])
      expect(await claim('three', ['stranger@example.com'], AT)).toEqual([])
      expect(await records.claim(mintQueueId(AT), both, { claimant: 'one', until: AT }, AT)).toEqual([])
    })

    it('ends a claim with what came of the attempt', async () => {
      const both = ['a@example.com', 'b@example.com']
      const { queueId } = await create({ recipients: both })
      await records.claim(queueId, both, { claimant: 'one', until: AT + 1000 }, AT)
      await records.note(
        queueId,
        [],
        [
          { recipient: 'a@example.com', state: 'delivered' },
          { recipient: 'b@example.com', state: 'deferred' },
        ],
      )
      expect(await records.claim(queueId, both, { claimant: 'two', until: AT + 1000 }, AT)).toEqual([
        { recipient: 'b@example.com' },
      ])
    })

    describe('the mark of a final dot', () => {
      const both = ['a@example.com', 'b@example.com']
      const mark = (claimant: string, attempt = 1): Sending => ({ claimant, attempt, at: AT, nextHop: 'smtp://hop:25' })
      /** Everybody's, as of somebody who comes when all claims are over. */
      const marks = async (queueId: string) => {
        const later = AT + 3_600_000
        const claimed = await records.claim(queueId, both, { claimant: 'later', until: later }, later)
        return Object.fromEntries(claimed.map(({ recipient, sending }) => [recipient, sending]))
      }
      const claimed = async (claimant = 'one', recipients = both) => {
        const { queueId } = await create({ recipients: both })
        await records.claim(queueId, recipients, { claimant, until: AT + 1000 }, AT)
        return queueId
      }

      it('is there for whoever claims next, also after reopening', async () => {
        const queueId = await claimed()
        await records.sending(queueId, ['a@example.com'], mark('one'))
        await reopen()
        expect(await marks(queueId)).toEqual({ 'a@example.com': mark('one'), 'b@example.com': undefined })
      })

      it('is replaced by that of the next attempt', async () => {
        const queueId = await claimed()
        await records.sending(queueId, both, mark('one'))
        await records.claim(queueId, both, { claimant: 'two', until: AT + 9000 }, AT + 1000)
        await records.sending(queueId, both, mark('two', 2))
        expect(await marks(queueId)).toEqual({ 'a@example.com': mark('two', 2), 'b@example.com': mark('two', 2) })
      })

      it('is gone with the outcome', async () => {
        const queueId = await claimed()
        await records.sending(queueId, both, mark('one'))
        await records.note(
          queueId,
          [],
          [
            { recipient: 'a@example.com', state: 'delivered' },
            { recipient: 'b@example.com', state: 'deferred' },
          ],
        )
        expect(await marks(queueId)).toEqual({ 'b@example.com': undefined })
      })

      it('is taken away by whom it is of, and nobody else', async () => {
        const queueId = await claimed()
        await records.sending(queueId, both, mark('one'))
        await records.unmark(queueId, both, 'two')
        await records.unmark(queueId, ['a@example.com'], 'one')
        await records.unmark(queueId, ['a@example.com'], 'one')
        expect(await marks(queueId)).toEqual({ 'a@example.com': undefined, 'b@example.com': mark('one') })
      })

      it('is refused to whom somebody else has taken the claim from', async () => {
        const queueId = await claimed()
        await records.claim(queueId, ['b@example.com'], { claimant: 'two', until: AT + 9000 }, AT + 1000)
        await expect(records.sending(queueId, both, mark('one'))).rejects.toThrow(ClaimLostError)
        expect(await marks(queueId)).toEqual({ 'a@example.com': undefined, 'b@example.com': undefined })
      })

      it('is refused without a claim, behind the outcome, and where there is no record', async () => {
        const queueId = await claimed('one', ['a@example.com'])
        await expect(records.sending(queueId, both, mark('one'))).rejects.toThrow(ClaimLostError)
        await expect(records.sending(mintQueueId(AT), both, mark('one'))).rejects.toThrow(ClaimLostError)
        await records.note(queueId, [], [{ recipient: 'a@example.com', state: 'delivered' }])
        await expect(records.sending(queueId, ['a@example.com'], mark('one'))).rejects.toThrow(ClaimLostError)
      })
    })
  })
}
