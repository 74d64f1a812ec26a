// What /readyz says about the scanners besides whether they answer: how old the signatures are, whether they are kept
// up to date, and whether rspamd's threshold is ours. Warnings all: mail goes on. Pure.
import type { Check } from '../src/console/ops-server.ts'
import type { ClamavVersion } from '../src/scan/clamd-reply.ts'
import type { UpdateStatus } from './embedded/freshclam.ts'

/** Milliseconds. The daily signatures are built about once a day. */
const OLD = 3 * 24 * 3600_000

/** Undefined where clamd has not told, or has only loose files of signatures, which bear no date. */
export function checkDatabase(version: ClamavVersion | undefined, now: number): Check | undefined {
  if (version?.database === undefined || version.databaseBuiltAt === undefined) return undefined
  const { database, databaseBuiltAt } = version
  const days = Math.floor((now - databaseBuiltAt) / (24 * 3600_000))
  const about = `signatures ${database}, built ${new Date(databaseBuiltAt).toISOString()}`
  if (now - databaseBuiltAt <= OLD) return { name: 'clamav-database', state: 'ok', detail: about }
  return {
    name: 'clamav-database',
    state: 'warning',
    detail: `${about}, ${days} days ago: newer viruses are not found`,
  }
}

/** Undefined where updating is not ours to do. */
export function checkUpdates(updates: UpdateStatus | undefined): Check | undefined {
  return updates && { name: 'clamav-updates', state: updates.ok ? 'ok' : 'warning', detail: updates.detail }
}

/** For an rspamd that somebody else configures; `requiredScore` is what its last answer bore. */
export function checkThresholds(rejectScore: number | undefined, requiredScore: number | undefined): Check | undefined {
  if (rejectScore === undefined || requiredScore === undefined || rejectScore === requiredScore) return undefined
  const lower = Math.min(rejectScore, requiredScore)
  const detail =
    `rspamd rejects from ${requiredScore} on, reject_score is ${rejectScore}: mail is taken for spam from ${lower} on. ` +
    'Set the same number in actions.conf of rspamd and in reject_score'
  return { name: 'rspamd-thresholds', state: 'warning', detail }
}
