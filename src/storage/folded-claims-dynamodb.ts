// Claims and marks of folded messages. The lease of a folded message's job is the claim on its recipients: as long as it
// holds nobody else has the job, and whoever takes over a lost one takes the claim away with it, so that the mark of the
// former is refused and no dot goes out. From the mark on the claim is written, and stands for its time whatever becomes
// of the lease. Claiming costs nothing, the mark a write. All else is done on recipients, unfolded.
import type { Leases } from './folded-item-dynamodb.ts'
import { pack } from './packed-text.ts'
import { messageKey } from './record-keys-dynamodb.ts'
import { ClaimLostError, type RecordStore } from './record-store.ts'
import type { Table } from './table-dynamodb.ts'
import type { Unfold } from './unfold-dynamodb.ts'

type Claims = Pick<RecordStore, 'claim' | 'sending' | 'unmark'>

export function createFoldedClaims(
  claims: Claims,
  { table, unfold, leases }: Readonly<{ table: Table; unfold: Unfold; leases: Leases }>,
): Claims {
  return {
    async claim(queueId, recipients, claim, now) {
      const { claimant, until } = claim
      const lease = leases.get(claimant)
      const wanted = new Set(recipients)
      if (lease === undefined || !lease.recipients.every(recipient => wanted.has(recipient))) {
        const item = await unfold(queueId)
        return item?.folded === 'ended' ? [] : claims.claim(queueId, recipients, claim, now)
      }
      const { mark } = lease
      if (mark !== undefined && mark.claim.claimant !== claimant && mark.claim.until > now) return []
      leases.set(claimant, { ...lease, claimedUntil: until })
      return lease.recipients.map(recipient =>
        mark === undefined ? { recipient } : { recipient, sending: mark.sending },
      )
    },

    async sending(queueId, recipients, mark) {
      const { claimant, ...rest } = mark
      const { at } = mark
      const lease = leases.get(claimant)
      const until = lease?.claimedUntil
      if (lease === undefined || until === undefined) {
        await unfold(queueId)
        return claims.sending(queueId, recipients, mark)
      }
      const marked = new Set(recipients)
      if (lease.recipients.every(recipient => marked.has(recipient))) {
        const written = await table.write({
          update: messageKey(queueId),
          expression: 'SET #sending = :mark, #sendingBy = :claimant, #claimUntil = :until ADD #turn :one',
          condition: `#folded = :open AND #token = :claimant AND (attribute_not_exists(#sendingBy) OR #sendingBy = :claimant OR #claimUntil <= :at)`,
          values: { open: 'open', claimant, until, at, mark: pack(JSON.stringify(rest)), one: 1 },
        })
        if (written !== undefined) {
          // Its worker may begin again under the same lease, and is to be told of it.
          leases.set(claimant, { ...lease, mark: { sending: mark, claim: { claimant, until } } })
          return
        }
      }
      if ((await unfold(queueId))?.folded === 'ended') throw new ClaimLostError(queueId)
      // Unfolded by somebody else, its claims end with the lease: this one is to stand for its time.
      const again = await claims.claim(queueId, [...marked], { claimant, until }, at)
      if (again.length < marked.size) throw new ClaimLostError(queueId)
      await claims.sending(queueId, recipients, mark)
    },

    async unmark(queueId, recipients, claimant) {
      await unfold(queueId)
      await claims.unmark(queueId, recipients, claimant)
    },
  }
}
