// What became of a canary, from its own record or from the reply that refused it. Pure. EICAR and GTUBE pass when their
// scanner has seen what they are and something was done about it; that they were kept because the scanner failed is no
// proof of anything.
import type { CanaryKind } from '../../src/mail/canary.ts'
import type { MessageRecord } from '../../src/mail/record.ts'
import type { Finding } from '../../src/mail/verdict.ts'
import { isRspamdAction, meaningOf } from '../../src/scan/rspamd-action.ts'

/** `why` is for people. `waiting`: not at its end. */
export type Judgement = Readonly<{ result: 'passed' | 'wrong' | 'waiting'; why: string }>

/** Of one that was accepted. */
export function judgeRecord(kind: CanaryKind, { recipients, events }: MessageRecord): Judgement {
  const state = recipients[0]?.state ?? 'queued'
  const verdict = events.findLast(event => event.event === 'verdict')
  const why = `${state}: ${verdict?.why ?? 'no verdict'}`
  if (state === 'queued' || state === 'deferred') return { result: 'waiting', why }
  if (kind === 'clean') return { result: state === 'delivered' ? 'passed' : 'wrong', why }
  const findings = events.findLast(event => event.event === 'scanned')?.findings ?? []
  const detected = findings.some(finding => DETECTS[kind](finding))
  return { result: detected && verdict?.decision !== 'deliver' ? 'passed' : 'wrong', why }
}

/** Of one that was not accepted: refused for what it is, or `waiting`, since later another try may be taken. */
export function judgeRefusal(kind: CanaryKind, reply: string): Judgement {
  const why = `refused: ${reply}`
  if (!reply.startsWith('5')) return { result: 'waiting', why }
  // The scanners' refusals: src/scan/refusal.ts.
  return { result: kind !== 'clean' && reply.startsWith('554 5.7.1 ') ? 'passed' : 'wrong', why }
}

const DETECTS: Readonly<Record<Exclude<CanaryKind, 'clean'>, (finding: Finding) => boolean>> = {
  eicar: ({ kind }) => kind === 'virus',
  gtube: finding => finding.kind === 'scored' && isRspamdAction(finding.action) && meaningOf(finding.action) !== 'pass',
}
