// What of a verdict is told to a client that still waits.
import { expect, test } from 'vitest'
import { replyText } from '../../src/mail/reply.ts'
import type { Finding } from '../../src/mail/verdict.ts'
import { refusalOf } from '../../src/scan/refusal.ts'
import { readCheckReply } from '../../src/scan/rspamd-reply.ts'
import { couldNotScan } from '../../src/scan/scanner.ts'
import { type ClamavPolicy, type RspamdPolicy, verdict } from '../../src/scan/verdict.ts'

const CLAMAV: ClamavPolicy = { action: 'reject', heuristics: 'quarantine', onError: 'defer' }
const RSPAMD: RspamdPolicy = { rejectScore: 15, action: 'reject', addHeaders: true, onError: 'tag' }

const clean: Finding = { scanner: 'clamav', kind: 'clean' }
const virus: Finding = { scanner: 'clamav', kind: 'virus', signature: 'Win.Test.EICAR_HDB-1' }
const heuristic: Finding = { scanner: 'clamav', kind: 'heuristic', signature: 'Heuristics.Encrypted.Zip' }
const scored = (score: number, action: string): Finding => {
  return { scanner: 'rspamd', kind: 'scored', score, requiredScore: 15, action, symbols: {}, headers: [] }
}
const ham = scored(0, 'no action')

function refused(findings: readonly Finding[], clamav = CLAMAV, rspamd = RSPAMD): string | undefined {
  const policy = { clamav, rspamd }
  const refusal = refusalOf(findings, verdict(findings, policy), policy)
  return refusal && replyText(refusal.reply)
}

const VIRUS = '554 5.7.1 Message refused: it contains Win.Test.EICAR_HDB-1'
const SPAM = '554 5.7.1 Message refused: it looks like spam'
const LATER = '451 4.7.1 Message is not taken now, try again later'

const cases: [what: string, findings: readonly Finding[], reply: string | undefined][] = [
  ['clean', [clean, ham], undefined],
  ['a virus', [virus, ham], VIRUS],
  ['a virus in spam: the virus is named', [virus, scored(20, 'reject')], VIRUS],
  ['a virus, while Rspamd is down', [virus, couldNotScan('rspamd', 'unreachable', 'down')], VIRUS],
  ['spam by our score', [clean, scored(15, 'add header')], SPAM],
  ['spam by the word of Rspamd', [clean, scored(9, 'reject')], SPAM],
  ['spam, while ClamAV is down', [couldNotScan('clamav', 'timeout', 'slow'), scored(20, 'reject')], SPAM],
  ['a suspicion is kept, not refused', [heuristic, ham], undefined],
  ['in between: tagged', [clean, scored(8, 'add header')], undefined],
  ['soft reject', [clean, scored(3, 'soft reject')], LATER],
  ['soft reject with a high score', [clean, scored(20, 'soft reject')], SPAM],
  ['soft reject of what ClamAV wants kept', [heuristic, scored(3, 'soft reject')], undefined],
  [
    'soft reject while ClamAV is down',
    [couldNotScan('clamav', 'unreachable', 'down'), scored(3, 'soft reject')],
    LATER,
  ],
  ['the bare word greylist: an rspamd that does no greylisting', [clean, scored(5, 'greylist')], undefined],
  ['quarantine by the word of Rspamd', [clean, scored(5, 'quarantine')], undefined],
  [
    'no scanner could look',
    [couldNotScan('clamav', 'unreachable', 'x'), couldNotScan('rspamd', 'timeout', 'x')],
    undefined,
  ],
]

test.each(cases)('%s', (_what, findings, reply) => {
  expect(refused(findings)).toBe(reply)
})

test('what another action was chosen for is not refused', () => {
  for (const action of ['quarantine', 'tag', 'discard'] as const) {
    expect(refused([virus, ham], { ...CLAMAV, action }), action).toBeUndefined()
    expect(refused([clean, scored(20, 'reject')], CLAMAV, { ...RSPAMD, action }), action).toBeUndefined()
  }
})

test('what is to be dropped in silence is not refused for anything else', () => {
  expect(refused([virus, scored(20, 'reject')], { ...CLAMAV, action: 'discard' })).toBeUndefined()
})

test('rspamd that puts a message off without looking at it ("too early"): whatever on_error says, it comes again', () => {
  const answer = {
    is_skipped: false,
    score: 0,
    required_score: 15,
    action: 'soft reject',
    symbols: { GREYLIST: { score: 0 } },
  }
  const finding = readCheckReply(Buffer.from(`HTTP/1.1 200 OK\r\n\r\n${JSON.stringify(answer)}`), 'rspamd', 100)
  expect(finding).toMatchObject({ kind: 'could-not-scan', putOff: true })
  for (const onError of ['tag', 'hold', 'defer'] as const) {
    expect(refused([clean, finding], CLAMAV, { ...RSPAMD, onError }), onError).toBe(LATER)
  }
})

test('a signature cannot bring a line of its own into the reply', () => {
  const odd: Finding = { scanner: 'clamav', kind: 'virus', signature: 'a\r\n250 Ok ü' }
  expect(refused([odd, ham])).toBe('554 5.7.1 Message refused: it contains a??250?Ok??')
})
