import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Finding, HeaderField } from '../../src/mail/verdict.ts'
import { type ClamavPolicy, type RspamdPolicy, type ScanPolicy, verdict } from '../../src/scan/verdict.ts'

const clean: Finding = { scanner: 'clamav', kind: 'clean' }
const virus: Finding = { scanner: 'clamav', kind: 'virus', signature: 'Eicar-Test-Signature' }
const heuristic: Finding = { scanner: 'clamav', kind: 'heuristic', signature: 'Heuristics.Encrypted.Zip' }
const noClamav: Finding = {
  scanner: 'clamav',
  kind: 'could-not-scan',
  failure: 'timeout',
  detail: 'clamd at h:1 slept',
}
const noRspamd: Finding = {
  scanner: 'rspamd',
  kind: 'could-not-scan',
  failure: 'protocol',
  detail: 'rspamd at h:2 sang',
}

function scored(score: number, action = 'no action', headers: HeaderField[] = []): Finding {
  return { scanner: 'rspamd', kind: 'scored', score, requiredScore: 15, action, symbols: {}, headers }
}

const clamav: ClamavPolicy = { action: 'reject', heuristics: 'quarantine', onError: 'defer' }
const rspamd: RspamdPolicy = { rejectScore: 15, action: 'quarantine', addHeaders: true, onError: 'tag' }
const policy: ScanPolicy = { clamav, rspamd }
const withClamav = (change: Partial<ClamavPolicy>): ScanPolicy => ({ rspamd, clamav: { ...clamav, ...change } })
const withRspamd = (change: Partial<RspamdPolicy>): ScanPolicy => ({ clamav, rspamd: { ...rspamd, ...change } })

type Row = readonly [name: string, findings: readonly Finding[], policy: ScanPolicy, decision: string, why: string]

const ham = scored(1.234)
const spam = scored(17.2, 'reject')

const rows: Row[] = [
  ['nothing configured', [], {}, 'deliver', 'no scanner configured'],
  ['both content', [clean, ham], policy, 'deliver', 'clean (ClamAV), score 1.23 of 15 (Rspamd)'],
  ['only ClamAV configured', [clean], { clamav }, 'deliver', 'clean (ClamAV)'],
  ['only Rspamd configured', [ham], { rspamd }, 'deliver', 'score 1.23 of 15 (Rspamd)'],

  ['virus, reject', [virus, ham], policy, 'quarantine', 'Eicar-Test-Signature (ClamAV)'],
  [
    'virus, quarantine',
    [virus, ham],
    withClamav({ action: 'quarantine' }),
    'quarantine',
    'Eicar-Test-Signature (ClamAV)',
  ],
  ['virus, discard', [virus, spam], withClamav({ action: 'discard' }), 'discard', 'Eicar-Test-Signature (ClamAV)'],
  ['virus, tag', [virus, ham], withClamav({ action: 'tag' }), 'tag', 'Eicar-Test-Signature (ClamAV)'],
  ['virus and spam', [virus, spam], policy, 'quarantine', 'Eicar-Test-Signature (ClamAV), score 17.2 of 15 (Rspamd)'],
  ['virus of an unknown scanner', [virus], {}, 'quarantine', 'Eicar-Test-Signature (ClamAV)'],
  ['heuristic, quarantine', [heuristic, ham], policy, 'quarantine', 'Heuristics.Encrypted.Zip (ClamAV)'],
  ['heuristic, tag', [heuristic, ham], withClamav({ heuristics: 'tag' }), 'tag', 'Heuristics.Encrypted.Zip (ClamAV)'],
  [
    'heuristic, deliver',
    [heuristic, ham],
    withClamav({ heuristics: 'deliver' }),
    'deliver',
    'Heuristics.Encrypted.Zip (ClamAV), score 1.23 of 15 (Rspamd)',
  ],

  ['rspamd proposes reject', [clean, spam], policy, 'quarantine', 'score 17.2 of 15 (Rspamd)'],
  ['GTUBE', [clean, scored(15, 'reject')], policy, 'quarantine', 'score 15 of 15 (Rspamd)'],
  ['reject below our score', [clean, scored(12, 'reject')], policy, 'quarantine', 'score 12 of 15 (Rspamd)'],
  [
    'our score below rspamd’s',
    [clean, scored(8, 'add header')],
    withRspamd({ rejectScore: 7 }),
    'quarantine',
    'score 8 of 7 (Rspamd)',
  ],
  ['spam, reject', [clean, spam], withRspamd({ action: 'reject' }), 'quarantine', 'score 17.2 of 15 (Rspamd)'],
  ['spam, tag', [clean, spam], withRspamd({ action: 'tag' }), 'tag', 'score 17.2 of 15 (Rspamd)'],
  ['spam, discard', [clean, spam], withRspamd({ action: 'discard' }), 'discard', 'score 17.2 of 15 (Rspamd)'],
  ['add header', [clean, scored(7, 'add header')], policy, 'tag', 'score 7 of 15 (Rspamd)'],
  ['rewrite subject', [clean, scored(7, 'rewrite subject')], policy, 'tag', 'score 7 of 15 (Rspamd)'],
  ['greylist', [clean, scored(5, 'greylist')], policy, 'deliver', 'clean (ClamAV), score 5 of 15 (Rspamd)'],
  ['soft reject, low', [clean, scored(5, 'soft reject')], policy, 'deliver', 'clean (ClamAV), score 5 of 15 (Rspamd)'],
  ['soft reject, high', [clean, scored(7, 'soft reject')], policy, 'tag', 'score 7 of 15 (Rspamd)'],
  [
    'rspamd’s own quarantine',
    [clean, scored(2, 'quarantine')],
    policy,
    'quarantine',
    'score 2 of 15 (Rspamd: quarantine)',
  ],
  ['rspamd’s own discard', [clean, scored(2, 'discard')], policy, 'quarantine', 'score 2 of 15 (Rspamd: discard)'],
  [
    'an action of its owner’s',
    [clean, scored(2, 'to the moon')],
    policy,
    'rescan',
    'Rspamd proposes an action that we do not know: "to the moon"',
  ],
  [
    'a name from Object',
    [clean, scored(2, 'constructor')],
    policy,
    'rescan',
    'Rspamd proposes an action that we do not know: "constructor"',
  ],

  ['ClamAV fails, defer', [noClamav, ham], policy, 'rescan', 'ClamAV could not scan (timeout): clamd at h:1 slept'],
  [
    'ClamAV fails, hold',
    [noClamav, ham],
    withClamav({ onError: 'hold' }),
    'hold',
    'ClamAV could not scan (timeout): clamd at h:1 slept',
  ],
  [
    'ClamAV fails, tag',
    [noClamav, ham],
    withClamav({ onError: 'tag' }),
    'tag',
    'ClamAV could not scan (timeout): clamd at h:1 slept',
  ],
  ['Rspamd fails, tag', [clean, noRspamd], policy, 'tag', 'Rspamd could not scan (protocol): rspamd at h:2 sang'],
  [
    'Rspamd fails, defer',
    [clean, noRspamd],
    withRspamd({ onError: 'defer' }),
    'rescan',
    'Rspamd could not scan (protocol): rspamd at h:2 sang',
  ],
  ['ClamAV fails, spam', [noClamav, spam], policy, 'quarantine', 'score 17.2 of 15 (Rspamd)'],
  [
    'ClamAV fails, tagged',
    [noClamav, scored(7, 'add header')],
    policy,
    'rescan',
    'ClamAV could not scan (timeout): clamd at h:1 slept',
  ],
  [
    'Rspamd fails, virus',
    [virus, noRspamd],
    withRspamd({ onError: 'defer' }),
    'quarantine',
    'Eicar-Test-Signature (ClamAV)',
  ],
  [
    'one to hold, one to defer',
    [noClamav, noRspamd],
    withRspamd({ onError: 'hold' }),
    'rescan',
    'ClamAV could not scan (timeout): clamd at h:1 slept',
  ],
  ['ClamAV was not asked', [ham], policy, 'rescan', 'ClamAV could not scan (protocol): it was not asked'],
  ['nobody was asked', [], policy, 'rescan', 'ClamAV could not scan (protocol): it was not asked'],
]

test.each(rows)('%s', (_name, findings, given, decision, why) => {
  expect(verdict(findings, given)).toMatchObject({ decision, why })
  expect(verdict(findings.toReversed(), given).decision).toBe(decision)
})

describe('header fields', () => {
  const fields = (findings: Finding[], given = policy) =>
    verdict(findings, given).headers.map(({ name, value }) => `${name}: ${value}`)

  test('of a clean message', () => {
    expect(fields([clean, ham])).toEqual([
      'X-Virus-Scanned: ClamAV',
      'X-Virus-Status: Clean',
      'X-Spam-Status: No, score=1.23 required=15.00',
      'X-Spam-Score: 1.23',
    ])
  })

  test('of spam that is tagged', () => {
    const expected = [
      'X-Virus-Scanned: ClamAV',
      'X-Virus-Status: Clean',
      'X-Spam-Status: Yes, score=7.00 required=15.00',
      'X-Spam-Score: 7.00',
      'X-Spam-Flag: YES',
    ]
    expect(fields([clean, scored(7, 'add header')])).toEqual(expected)
    expect(fields([clean, scored(7, 'add header')], withRspamd({ addHeaders: false }))).toEqual(expected)
  })

  test('of what was not scanned', () => {
    const given = { clamav: { ...clamav, onError: 'tag' }, rspamd: { ...rspamd, addHeaders: false } } as const
    expect(fields([noClamav, noRspamd], given)).toEqual([
      'X-Virus-Scanned: no (timeout)',
      'X-Spam-Status: Unknown, not scanned (protocol)',
    ])
  })

  test('of a virus that is passed on by its owner’s choice', () => {
    expect(fields([virus], { clamav: { ...clamav, action: 'tag' } })).toEqual([
      'X-Virus-Scanned: ClamAV',
      'X-Virus-Status: Infected (Eicar-Test-Signature)',
    ])
    expect(fields([heuristic], { clamav: { ...clamav, heuristics: 'deliver' } })).toContain(
      'X-Virus-Status: Suspicious (Heuristics.Encrypted.Zip)',
    )
  })

  test('that rspamd adds come behind ours and never beside them', () => {
    const added = [
      { name: 'Authentication-Results', value: 'mx.example.com;\r\n\tspf=pass' },
      { name: 'x-spam-status', value: 'from rspamd' },
    ]
    expect(fields([clean, scored(1, 'no action', added)]).slice(4)).toEqual([
      'Authentication-Results: mx.example.com;\r\n\tspf=pass',
    ])
    expect(fields([clean, scored(1, 'no action', added)], withRspamd({ addHeaders: false }))).toEqual([
      'X-Virus-Scanned: ClamAV',
      'X-Virus-Status: Clean',
    ])
  })

  test('are not made for what is not passed on', () => {
    expect(fields([virus, spam])).toEqual([])
  })
})

describe('whatever the findings', () => {
  const text = fc.string({ unit: 'binary', maxLength: 2000 })
  const action = fc.constantFrom('reject', 'quarantine', 'tag', 'discard')
  const onError = fc.constantFrom('defer', 'hold', 'tag')
  const finding: fc.Arbitrary<Finding> = fc.oneof(
    fc.constant(clean),
    fc.record({ scanner: fc.constant('clamav'), kind: fc.constantFrom('virus', 'heuristic'), signature: text }),
    fc.record({
      scanner: fc.constant('rspamd'),
      kind: fc.constant('scored'),
      score: fc.double({ noNaN: true, noDefaultInfinity: true, min: -100, max: 100 }),
      requiredScore: fc.constantFrom(5, 15),
      action: fc.oneof(
        text,
        fc.constantFrom('no action', 'greylist', 'soft reject', 'add header', 'reject', 'discard'),
      ),
      symbols: fc.constant({}),
      headers: fc.array(fc.record({ name: fc.oneof(text, fc.constant('X-Rspamd')), value: text })),
    }),
    fc.record({
      scanner: fc.constantFrom('clamav', 'rspamd'),
      kind: fc.constant('could-not-scan'),
      failure: fc.constantFrom('unreachable', 'timeout', 'too-large', 'protocol'),
      detail: text,
    }),
  ) as fc.Arbitrary<Finding>
  const anyPolicy = fc.record(
    {
      clamav: fc.record({ action, heuristics: fc.constantFrom('quarantine', 'tag', 'deliver'), onError }),
      rspamd: fc.record({ rejectScore: fc.constantFrom(5, 15), action, addHeaders: fc.boolean(), onError }),
    },
    { requiredKeys: [] },
  ) as fc.Arbitrary<ScanPolicy>

  const forAll = (check: (findings: Finding[], given: ScanPolicy) => void) =>
    fc.assert(fc.property(fc.array(finding, { maxLength: 4 }), anyPolicy, check))

  test('a virus is passed on only where its owner said so', () => {
    forAll((findings, given) => {
      if (!findings.some(({ kind }) => kind === 'virus') || given.clamav?.action === 'tag') return
      expect(['quarantine', 'discard']).toContain(verdict(findings, given).decision)
    })
  })

  test('nothing is passed on untold that a scanner did not see', () => {
    forAll((findings, given) => {
      const silent = (['clamav', 'rspamd'] as const).filter(
        name => given[name] !== undefined && !findings.some(({ scanner }) => scanner === name),
      )
      const failed = findings.filter(({ kind }) => kind === 'could-not-scan').map(({ scanner }) => scanner)
      for (const name of [...silent, ...failed]) {
        const { decision, headers } = verdict(findings, given)
        expect(decision).not.toBe('deliver')
        if (decision === 'tag')
          expect(headers.some(({ value }) => /^no \(|^Unknown, not scanned/.test(value))).toBe(true)
        if ((given[name]?.onError ?? 'defer') !== 'tag') expect(decision).not.toBe('tag')
      }
    })
  })

  test('header fields are lines of ASCII below 998 octets, folded where they are broken', () => {
    forAll((findings, given) => {
      for (const { name, value } of verdict(findings, given).headers) {
        expect(`${name}: ${value}\r\n`).toMatch(/^[!-9;-~]+: (?:[\t -~]*(?:\r\n[\t ])?)*\r\n$/)
        const [, ...folds] = value.split('\r\n')
        for (const fold of folds) expect(fold.trim()).not.toBe('')
        for (const line of `${name}: ${value}`.split('\r\n')) expect(line.length).toBeLessThan(998)
      }
    })
  })

  test('nothing is dropped unless our own configuration says so', () => {
    forAll((findings, given) => {
      if (given.clamav?.action === 'discard' || given.rspamd?.action === 'discard') return
      expect(verdict(findings, given).decision).not.toBe('discard')
    })
  })
})
