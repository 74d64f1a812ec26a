// The contract of the record store port for operators' lists, on top of nothing but the port.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { mintQueueId } from '../../src/mail/queue-id.ts'
import type { RecipientState } from '../../src/mail/record.ts'
import type { Backends } from '../../src/storage/backends.ts'
import type { RecipientFilter, RecordStore } from '../../src/storage/record-store.ts'
import { acceptedEvent, acceptedMessage, deliveryJob, type Home, type MakeHome } from './home.ts'

const AT = 1_700_000_000_000

export function recipientListsContract(makeHome: MakeHome): void {
  describe('record store, lists recipients', () => {
    let home: Home
    let backends: Backends
    let records: RecordStore
    afterEach(async () => {
      await backends.close()
      await home.dispose()
    })
    const ids: string[] = []
    /** Three messages, a second apart: to one, to two domains, and to two of one. */
    beforeEach(async () => {
      home = await makeHome()
      backends = await home.open()
      records = backends.records
      const to = [['a@example.com'], ['B@example.com', 'b@other.example'], ['"x@y"@example.com', 'z@example.com']]
      ids.length = 0
      for (const [n, recipients] of to.entries()) {
        const acceptedAt = AT + n * 1000
        const queueId = mintQueueId(acceptedAt)
        ids.push(queueId)
        const reversePath = n === 1 ? '' : `s${n}@example.org`
        await records.create(acceptedMessage({ queueId, acceptedAt, recipients, reversePath }), acceptedEvent())
      }
      const move = (n: number, recipient: string, state: RecipientState) =>
        records.note(ids[n]!, [], [{ recipient, state }])
      await move(0, 'a@example.com', 'deferred')
      await move(1, 'B@example.com', 'held')
      await move(1, 'b@other.example', 'deferred')
      await move(2, 'z@example.com', 'delivered')
    })
    const list = async (filter: Partial<RecipientFilter>) => {
      const states = filter.states ?? (['queued', 'deferred', 'held'] as const)
      const { recipients } = await records.listRecipients({ ...filter, states }, { limit: 9 })
      return recipients.map(({ queueId, recipient }) => `${ids.indexOf(queueId)} ${recipient}`)
    }
    const all = ['0 a@example.com', '1 B@example.com', '1 b@other.example', '2 "x@y"@example.com']

    it.each<[what: string, filter: Partial<RecipientFilter>, found: string[]]>([
      ['all that is not at its end', {}, all],
      ['by state', { states: ['deferred'] }, ['0 a@example.com', '1 b@other.example']],
      ['by an end state', { states: ['delivered'] }, ['2 z@example.com']],
      ['by domain', { domain: 'example.com' }, ['0 a@example.com', '1 B@example.com', '2 "x@y"@example.com']],
      ['by domain and state', { domain: 'example.com', states: ['held', 'queued'] }, [all[1]!, all[3]!]],
      ['by a domain without mail', { domain: 'y' }, []],
      ['by sender, without case', { sender: 'S0@example.org' }, ['0 a@example.com']],
      ['by the null sender and domain', { sender: '', domain: 'other.example' }, ['1 b@other.example']],
      ['by recipient, without case', { recipient: 'b@EXAMPLE.com' }, ['1 B@example.com']],
      ['by recipient of another domain', { recipient: 'b@example.com', domain: 'other.example' }, []],
      ['by age', { before: AT + 1000 }, ['0 a@example.com']],
      ['by age and domain', { before: AT + 2000, domain: 'example.com' }, [all[0]!, all[1]!]],
      ['in no state', { states: [] }, []],
    ])('%s', async (_, filter, found) => {
      expect(await list(filter)).toEqual(found)
    })

    it('of one message', async () => {
      expect(await list({ queueId: ids[1]! })).toEqual(['1 B@example.com', '1 b@other.example'])
      expect(await list({ queueId: ids[1]!, domain: 'example.com' })).toEqual(['1 B@example.com'])
    })

    it.each([{}, { domain: 'example.com' }, { sender: '' }])('page by page: %j', async filter => {
      const wanted = { states: ['queued', 'deferred', 'held'] as const, ...filter }
      const whole = await records.listRecipients(wanted, { limit: 9 })
      expect(whole.next).toBeUndefined()
      const found = []
      let after: string | undefined
      do {
        const page = await records.listRecipients(wanted, { limit: 1, ...(after !== undefined && { after }) })
        found.push(...page.recipients)
        after = page.next
      } while (after !== undefined)
      expect(found).toEqual(whole.recipients)
    })

    it('with what is known of them', async () => {
      const [queueId] = ids as [string]
      const job = { ...deliveryJob(`${queueId}/delivery/2`, ['a@example.com']), queueId, attempt: 2 }
      await records.defer({ job, dueAt: AT + 60_000 })
      const nextHop = 'smtp://192.0.2.25:25'
      const event = { event: 'deferred', stage: 'delivery', why: '451 4.3.0 not now', nextHop, attempt: 1 } as const
      await records.note(queueId, [{ ...event, at: AT, dueAt: AT, recipients: ['a@example.com'] }], [])
      const by = { at: AT, event: 'operator', action: 'retry', by: 'root', recipients: ['a@example.com'] } as const
      await records.note(queueId, [by], [])
      const { recipients } = await records.listRecipients({ states: ['deferred'], queueId }, { limit: 9 })
      expect(recipients).toEqual([
        {
          queueId,
          recipient: 'a@example.com',
          state: 'deferred',
          sender: 's0@example.org',
          acceptedAt: AT,
          size: 5000,
          dueAt: AT + 60_000,
          attempt: 2,
          why: '451 4.3.0 not now',
          nextHop,
        },
      ])
    })

    it('counted by domain and age', async () => {
      const edges = [AT + 2000, AT + 1000]
      expect(await records.shape(['queued', 'deferred', 'held'], edges, 9)).toEqual([
        { domain: 'example.com', counts: [1, 1, 1] },
        { domain: 'other.example', counts: [0, 1, 0] },
      ])
      expect(await records.shape(['held'], edges, 9)).toEqual([{ domain: 'example.com', counts: [0, 1, 0] }])
      expect(await records.shape(['queued', 'deferred', 'held'], edges, 1)).toHaveLength(1)
    })
  })
}
