// Unfolding: a folded message whose way stops being the ordinary one gets an item for each recipient and for its job, and
// is counted, in one transaction. From then on it is never folded again, and everything about it is done on those items.
// A message that has ended stays folded: only events are added to it.
import { type Folded, foldedIn, type Leases, OPEN_ATTRIBUTES } from './folded-item-dynamodb.ts'
import { jobItem, recipientItem } from './record-items-dynamodb.ts'
import { messageKey } from './record-keys-dynamodb.ts'
import type { Claim } from './record-store.ts'
import { countWrite } from './record-tally-dynamodb.ts'
import type { Item, Table, Write } from './table-dynamodb.ts'

/** Resolves with the message's item as it was before or is now; undefined when there is none. */
export type Unfold = (queueId: string) => Promise<Item | undefined>

/** What is changed by others meanwhile, again and again. */
const ATTEMPTS = 20

/** `leases`: those that this process has. */
export function createUnfold(table: Table, leases: Leases): Unfold {
  return async queueId => {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const item = await table.get(messageKey(queueId))
      const folded = item && foldedIn(item)
      const failed = folded?.work && (await table.transact(() => writesFor(queueId, folded, leases)))
      if (failed !== undefined && failed.length > 0) continue
      // From now on the items know better.
      for (const [token, lease] of leases) if (lease.queueId === queueId) leases.delete(token)
      return item
    }
    throw new Error(`${queueId} is changed by too many at once`)
  }
}

function writesFor(queueId: string, folded: Folded, leases: Leases): Write[] {
  const { message, states, turn, work, mark } = folded
  const { job, standing } = work!
  const claim = claimOn(folded, leases)
  const marked = mark && { sending: JSON.stringify(mark.sending), sendingBy: mark.claim.claimant }
  const names = ['folded', 'turn', 'settled', ...OPEN_ATTRIBUTES].map(name => `#${name}`).join(', ')
  return [
    {
      update: messageKey(queueId),
      expression: `REMOVE ${names}`,
      condition: '#folded = :open AND #turn = :turn',
      values: { open: 'open', turn },
    },
    ...[...states].map(([recipient, state]) => ({
      put: { ...recipientItem(message, recipient, state), ...claim, ...marked },
    })),
    { put: jobItem(job, standing) },
    ...countWrite({ accepted: states.size, queued: states.size }),
  ]
}

/** The one that stands longest. Another process that has the lease may have claimed the recipients by it. */
function claimOn({ work, mark }: Folded, leases: Leases): Claim | undefined {
  const { job, standing } = work!
  const { token, visibleAt } = standing
  const claims: Claim[] = mark === undefined ? [] : [mark.claim]
  if (job.kind === 'delivery' && token !== undefined) {
    const ours = leases.get(token)
    const until = ours === undefined ? visibleAt : ours.claimedUntil
    if (until !== undefined) claims.push({ claimant: token, until })
  }
  return claims.toSorted((a, b) => b.until - a.until)[0]
}
