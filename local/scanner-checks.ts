// What /readyz says about the scanners besides whether they answer: how old the signatures are, whether they are kept
// up to date, whether rspamd's threshold is ours, and whether DNS lists answer us. Warnings all: mail goes on. Pure.
import type { Check } from '../src/console/ops-server.ts'
import type { Finding } from '../src/mail/verdict.ts'
import type { ClamavVersion } from '../src/scan/clamd-reply.ts'
import type { UpdateStatus } from './embedded/freshclam.ts'

/** Milliseconds. The daily signatures are built about once a day. */
const OLD = 3 * 24 * 3600_000

/** Milliseconds for which a list that refused is told of. */
const REMEMBERED = 3600_000

export type Scored = Extract<Finding, { kind: 'scored' }>

/** The lists that last refused to answer, as rspamd's symbols, and when. */
export type Refusals = Readonly<{ symbols: readonly string[]; at: number }>

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

/** Lists that refused to answer about this message: URIBL_BLOCKED, RBL_SPAMHAUS_BLOCKED_OPENRESOLVER and the like. */
export function refusalsIn(symbols: Scored['symbols'], now: number): Refusals | undefined {
  const refused = Object.keys(symbols).filter(name => /_BLOCKED(_OPENRESOLVER)?$/.test(name))
  return refused.length > 0 ? { symbols: refused, at: now } : undefined
}

/** A list that refuses lists nobody: spam passes, and nothing else tells. */
export function checkLists(refusals: Refusals | undefined, now: number): Check | undefined {
  if (refusals === undefined || now - refusals.at > REMEMBERED) return undefined
  const detail =
    `lists refuse to answer the resolver that rspamd asks (${refusals.symbols.join(', ')}): most do that to large ` +
    'public ones. Name a resolver of your own in /etc/resolv.conf, or get a DQS key'
  return { name: 'dns-lists', state: 'warning', detail }
}
