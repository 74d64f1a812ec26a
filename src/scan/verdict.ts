// From findings to a decision: a pure function that says why. Each finding has an opinion; the strictest wins, in the
// order of STRICTNESS. So a virus is never overridden, and a scanner that could not scan keeps the mail from being
// passed on, but not from being quarantined for what the other one found. Exceptions, which people make or a storm of
// false positives does, take a finding its say, and are told in the reason.
// After the 250 nothing can be rejected without sending backscatter: `reject` means quarantine.
import type { Decision, Finding, ScannerName, Verdict } from '../mail/verdict.ts'
import { isRspamdAction, meaningOf } from './rspamd-action.ts'
import { couldNotScan } from './scanner.ts'
import { verdictHeaders } from './verdict-headers.ts'

export type FindingAction = 'reject' | 'quarantine' | 'tag' | 'discard'

/** What becomes of a message that could not be scanned: tried again, kept for an operator, or passed on with a note. */
export type OnScanFailure = 'defer' | 'hold' | 'tag'

export type ClamavPolicy = Readonly<{
  action: FindingAction
  heuristics: 'quarantine' | 'tag' | 'deliver'
  onError: OnScanFailure
}>

export type RspamdPolicy = Readonly<{
  /** From this score on, or when rspamd itself proposes `reject`, `action` is taken. */
  rejectScore: number
  action: FindingAction
  /** false: header fields only on what is tagged or was not scanned. */
  addHeaders: boolean
  onError: OnScanFailure
}>

/** The scanners that mail has to pass; one that is absent is not asked. */
export type ScanPolicy = Readonly<{ clamav?: ClamavPolicy; rspamd?: RspamdPolicy }>

/** Strictest first. A rescan before a hold: what can still be scanned may turn out worse, and needs no operator. */
const STRICTNESS: readonly Decision[] = ['discard', 'quarantine', 'rescan', 'hold', 'tag', 'deliver']

const NAMES: Readonly<Record<ScannerName, string>> = { clamav: 'ClamAV', rspamd: 'Rspamd' }

/** For findings of a scanner that the policy does not know. */
const STRICT_CLAMAV: ClamavPolicy = { action: 'quarantine', heuristics: 'quarantine', onError: 'defer' }
const STRICT_RSPAMD: RspamdPolicy = { rejectScore: 15, action: 'quarantine', addHeaders: true, onError: 'defer' }

/** rspamd's stock threshold of `add header`. */
const STOCK_TAG_SCORE = 6

type Opinion = Readonly<{ decision: Decision; why: string; spam?: boolean }>

/** Findings that do not count as they usually do. */
export type Exceptions = Readonly<{
  /** Signatures that an operator lets pass. */
  ignored?: ReadonlySet<string>
  /** Signatures that hit so often that they are taken for wrong: what they find is kept, not dropped. */
  storming?: ReadonlySet<string>
  /** What the message was set aside for, and was released from. */
  released?: readonly Finding[]
}>

export function verdict(findings: readonly Finding[], policy: ScanPolicy, exceptions: Exceptions = {}): Verdict {
  const all = [...findings, ...missing(findings, policy)]
  if (all.length === 0) return { decision: 'deliver', why: 'no scanner configured', headers: [] }
  const opinions = all.map(finding => exceptionalOpinionOn(finding, policy, exceptions))
  const decision = STRICTNESS.find(candidate => opinions.some(opinion => opinion.decision === candidate))!
  const decisive = opinions.filter(opinion => opinion.decision === decision)
  const passed = decision === 'deliver' || decision === 'tag'
  const spam = opinions.some(opinion => opinion.spam)
  const addHeaders = policy.rspamd?.addHeaders ?? true
  return {
    decision,
    why: decisive.map(({ why }) => why).join(', '),
    headers: passed ? verdictHeaders(all, { spam, addHeaders, statusOf: of => exceptionFor(of, exceptions) }) : [],
  }
}

/** The findings that have a message set aside, or worse: what a release is from. */
export function reasonsOf(findings: readonly Finding[], policy: ScanPolicy): Finding[] {
  return findings.filter(finding => ['quarantine', 'discard'].includes(opinionOn(finding, policy).decision))
}

/** Whether it is the same that was found: that signature, or spam again, whatever its score is by now. */
export function isSameFinding(one: Finding, other: Finding): boolean {
  if ('signature' in one) return 'signature' in other && one.signature === other.signature
  return one.kind === 'scored' && other.kind === 'scored'
}

/** Undefined where a finding counts as it always does. */
export function exceptionFor(finding: Finding, { ignored, released }: Exceptions): 'Ignored' | 'Released' | undefined {
  if ('signature' in finding && ignored?.has(finding.signature)) return 'Ignored'
  return released?.some(reason => isSameFinding(reason, finding)) ? 'Released' : undefined
}

function exceptionalOpinionOn(finding: Finding, policy: ScanPolicy, exceptions: Exceptions): Opinion {
  const opinion = opinionOn(finding, policy)
  const exception = exceptionFor(finding, exceptions)
  // An action of rspamd's that nobody knows is still to be asked about again.
  if (exception !== undefined && opinion.decision !== 'rescan') {
    return { decision: 'deliver', why: `${opinion.why}, ${exception.toLowerCase()}` }
  }
  const storming = 'signature' in finding && exceptions.storming?.has(finding.signature)
  if (storming && opinion.decision === 'discard') {
    return { decision: 'quarantine', why: `${opinion.why}, a signature that hits too often to be believed` }
  }
  return opinion
}

/** A scanner that has to be passed and says nothing could not scan. */
function missing(findings: readonly Finding[], policy: ScanPolicy): Finding[] {
  return (['clamav', 'rspamd'] as const)
    .filter(name => policy[name] !== undefined && !findings.some(({ scanner }) => scanner === name))
    .map(name => couldNotScan(name, 'protocol', 'it was not asked'))
}

function opinionOn(finding: Finding, { clamav = STRICT_CLAMAV, rspamd = STRICT_RSPAMD }: ScanPolicy): Opinion {
  switch (finding.kind) {
    case 'clean':
      return { decision: 'deliver', why: `clean (${NAMES[finding.scanner]})` }
    case 'virus':
      return { decision: decisionFor(clamav.action), why: `${finding.signature} (ClamAV)` }
    case 'heuristic':
      return { decision: clamav.heuristics, why: `${finding.signature} (ClamAV)` }
    case 'scored':
      return opinionOnScore(finding, rspamd)
    case 'could-not-scan': {
      const { onError } = finding.scanner === 'clamav' ? clamav : rspamd
      const decision = onError === 'defer' ? 'rescan' : onError
      const why = `${NAMES[finding.scanner]} could not scan (${finding.failure}): ${finding.detail}`
      return { decision, why }
    }
  }
}

function opinionOnScore(
  { score, action }: Extract<Finding, { kind: 'scored' }>,
  { rejectScore, action: onReject }: RspamdPolicy,
): Opinion {
  const why = `score ${round(score)} of ${round(rejectScore)} (Rspamd)`
  if (!isRspamdAction(action)) {
    return { decision: 'rescan', why: `Rspamd proposes an action that we do not know: ${JSON.stringify(action)}` }
  }
  const meaning = meaningOf(action)
  if (meaning === 'reject' || score >= rejectScore) return spamOpinion(decisionFor(onReject), why)
  if (meaning === 'quarantine') return spamOpinion('quarantine', `${why.slice(0, -1)}: ${action})`)
  if (meaning === 'tag') return spamOpinion('tag', why)
  // A soft reject, of greylisting for example, hides what rspamd would have proposed.
  if (action === 'soft reject' && score >= STOCK_TAG_SCORE) return spamOpinion('tag', why)
  return { decision: 'deliver', why }
}

function spamOpinion(decision: Decision, why: string): Opinion {
  return { decision, why, spam: true }
}

function decisionFor(action: FindingAction): Decision {
  return action === 'reject' ? 'quarantine' : action
}

function round(score: number): number {
  return Math.round(score * 100) / 100
}
