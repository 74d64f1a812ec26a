// What a release from quarantine means for the scan that comes before it: what the message was set aside for does not
// count again, for whoever it was set aside for. Everything else counts: today's signatures may know better. Pure.

import { headerField } from '../mail/header-value.ts'
import type { Release } from '../mail/job.ts'
import type { MessageRecord } from '../mail/record.ts'
import type { Finding, Verdict } from '../mail/verdict.ts'
import { isSameFinding, reasonsOf, type ScanPolicy } from './verdict.ts'

/**
 * The findings that had the message set aside for every one of these recipients, when it last was before the release:
 * what was found later was not what the person has seen.
 */
export function reasonsFor(
  { events }: MessageRecord,
  recipients: readonly string[],
  releasedAt: number,
  policy: ScanPolicy,
): readonly Finding[] {
  const [first = [], ...others] = recipients.map(recipient => {
    const at = events.findLastIndex(event => {
      return event.event === 'quarantined' && event.at <= releasedAt && event.recipients.includes(recipient)
    })
    // The scan that led to it is written down with it, and before it.
    const scanned = events.slice(0, Math.max(at, 0)).findLast(event => event.event === 'scanned')
    return scanned?.event === 'scanned' ? reasonsOf(scanned.findings, policy) : []
  })
  return first.filter(reason => others.every(reasons => reasons.some(other => isSameFinding(reason, other))))
}

/** The verdict on a message that is being released; `fault` says why the release does not count. */
export function verdictOnRelease(decided: Verdict, { by }: Release, fault: string | undefined): Verdict {
  const { decision, why, headers } = decided
  switch (decision) {
    case 'deliver':
    case 'tag': {
      const told = headerField('X-Elemta-Released', `by ${by}`)
      return { decision, why: `${why}, released by ${by}`, headers: told === undefined ? headers : [...headers, told] }
    }
    // What somebody wants to have is not dropped behind his back.
    case 'quarantine':
    case 'discard':
      return { decision: 'quarantine', why: `not released: ${fault === undefined ? '' : `${fault}; `}${why}`, headers }
    case 'rescan':
    case 'hold':
      return decided
  }
}
