// Before a message is accepted a verdict can be told to the client: `reject` then means 554, and what rspamd wants to
// see again (soft reject) means 451. Pure. What must be kept or dropped in silence is not refused.
// The bare action `greylist` comes from an rspamd that does no greylisting: it would say so at every return of the
// message, for ever, so it is no reason to defer.
import { type Reply, reply } from '../mail/reply.ts'
import type { Finding, Verdict } from '../mail/verdict.ts'
import { isRspamdAction, meaningOf } from './rspamd-action.ts'
import { type Exceptions, exceptionFor, type ScanPolicy } from './verdict.ts'

export type Refusal = Readonly<{ outcome: 'reject' | 'defer'; reply: Reply; why: string }>

const comeAgain = reply(451, '4.7.1', 'Message is not taken now, try again later')

/** Undefined: accept, and do what the verdict says. */
export function refusalOf(
  findings: readonly Finding[],
  { decision }: Verdict,
  policy: ScanPolicy,
  exceptions: Exceptions = {},
): Refusal | undefined {
  if (decision === 'discard') return undefined
  const rejections = findings.map(finding => rejectionOf(finding, policy, exceptions))
  const rejection = rejections.find(refusal => refusal !== undefined)
  if (rejection !== undefined) return rejection
  if (decision === 'quarantine' || !findings.some(isSoft)) return undefined
  return { outcome: 'defer', reply: comeAgain, why: 'soft reject (Rspamd)' }
}

function rejectionOf(finding: Finding, { clamav, rspamd }: ScanPolicy, exceptions: Exceptions): Refusal | undefined {
  if (exceptionFor(finding, exceptions) !== undefined) return undefined
  // Perhaps it is none: kept, so that it can be had later.
  if ('signature' in finding && exceptions.storming?.has(finding.signature)) return undefined
  if (finding.kind === 'virus' && clamav?.action === 'reject') {
    const { signature } = finding
    const text = `Message refused: it contains ${signature.replaceAll(/[^!-~]/g, '?')}`
    return { outcome: 'reject', reply: reply(554, '5.7.1', text), why: `${signature} (ClamAV)` }
  }
  if (finding.kind !== 'scored' || rspamd?.action !== 'reject') return undefined
  const { score, action } = finding
  const spam = score >= rspamd.rejectScore || (isRspamdAction(action) && meaningOf(action) === 'reject')
  if (!spam) return undefined
  const why = `score ${score.toFixed(1)} of ${rspamd.rejectScore} (Rspamd)`
  return { outcome: 'reject', reply: reply(554, '5.7.1', 'Message refused: it looks like spam'), why }
}

function isSoft(finding: Finding): boolean {
  if (finding.kind === 'scored') return finding.action === 'soft reject'
  return finding.kind === 'could-not-scan' && finding.putOff === true
}
