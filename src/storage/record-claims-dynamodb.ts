// Claims on recipients and the marks of final dots: attributes of the recipient's item, changed by conditional writes.
// All may be repeated, which is what happens when an answer is lost: the same claimant gets its claim again, the same mark
// stands. The marks of several recipients are set as one, so that a claim that was lost is found before any dot is sent.
import { isFinal, RECIPIENT_STATES } from '../mail/record.ts'
import { recipientKey } from './record-keys-dynamodb.ts'
import { type ClaimedRecipient, ClaimLostError, type RecordStore, type Sending } from './record-store.ts'
import { chunks, MOST_WRITES, type Table } from './table-dynamodb.ts'

const OPEN_STATES = RECIPIENT_STATES.filter(state => !isFinal(state))
const OPEN = {
  condition: `#state IN (${OPEN_STATES.map((_, n) => `:open${n}`).join(', ')})`,
  values: Object.fromEntries(OPEN_STATES.map((state, n) => [`open${n}`, state])),
}

export function createClaims(table: Table): Pick<RecordStore, 'claim' | 'sending' | 'unmark'> {
  async function unmark(queueId: string, recipients: readonly string[], claimant: string): Promise<void> {
    await Promise.all(
      recipients.map(recipient =>
        table.write({
          update: recipientKey(queueId, recipient),
          expression: 'REMOVE #sending, #sendingBy',
          condition: '#sendingBy = :claimant',
          values: { claimant },
        }),
      ),
    )
  }

  return {
    async claim(queueId, recipients, { claimant, until }, now) {
      const claimed = await Promise.all(
        recipients.map(async (recipient): Promise<ClaimedRecipient[]> => {
          const item = await table.write({
            update: recipientKey(queueId, recipient),
            expression: 'SET #claimant = :claimant, #until = :until',
            condition: `${OPEN.condition} AND (attribute_not_exists(#claimant) OR #claimant = :claimant OR #until <= :now)`,
            values: { ...OPEN.values, claimant, until, now },
          })
          if (item === undefined) return []
          const sending = item.sending === undefined ? {} : { sending: JSON.parse(String(item.sending)) as Sending }
          return [{ recipient, ...sending }]
        }),
      )
      return claimed.flat()
    },

    async sending(queueId, recipients, mark) {
      const { claimant } = mark
      const write = (recipient: string) => ({
        update: recipientKey(queueId, recipient),
        expression: 'SET #sending = :mark, #sendingBy = :claimant',
        condition: `#claimant = :claimant AND ${OPEN.condition}`,
        values: { ...OPEN.values, claimant, mark: JSON.stringify(mark) },
      })
      const [only] = recipients
      if (recipients.length === 1) {
        if ((await table.write(write(only!))) === undefined) throw new ClaimLostError(queueId)
        return
      }
      const steps = chunks([...new Set(recipients)], MOST_WRITES)
      for (const [n, step] of steps.entries()) {
        const failed = await table.transact(() => step.map(write))
        if (failed.length === 0) continue
        await unmark(queueId, steps.slice(0, n).flat(), claimant)
        throw new ClaimLostError(queueId)
      }
    },

    unmark,
  }
}
