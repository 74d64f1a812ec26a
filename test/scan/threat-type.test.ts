// Families of threats, by names as ClamAV and others give them.
import { expect, test } from 'vitest'
import { THREATS } from '../../src/platform/catalogue/security.ts'
import { threatOf } from '../../src/scan/threat-type.ts'

const NAMES: readonly (readonly [signature: string, threat: (typeof THREATS)[number]])[] = [
  ['Eicar-Test-Signature', 'test'],
  ['Win.Test.EICAR_HDB-1', 'test'],
  ['ClamAV-Test-File', 'test'],
  ['Win.Trojan.Agent-1234567-0', 'trojan'],
  ['Win.Ransomware.Locky-5540-0', 'ransomware'],
  ['Win.Worm.Mydoom-5', 'worm'],
  ['Html.Phishing.Bank-12', 'phishing'],
  ['Heuristics.Phishing.Email.SSL-Spoof', 'phishing'],
  ['Rtf.Exploit.CVE_2017_11882-6584355-0', 'exploit'],
  ['Xls.Malware.Cve-2017-11882-1', 'exploit'],
  ['Doc.Downloader.Emotet-7-0', 'downloader'],
  ['Win.Dropper.Small-1', 'downloader'],
  ['Heuristics.OLE2.ContainsMacros.VBA', 'macro'],
  ['Unix.Backdoor.Shell-1', 'backdoor'],
  ['Heuristics.Encrypted.Zip', 'encrypted'],
  ['Heuristics.Limits.Exceeded.MaxRecursion', 'suspicious'],
  ['PUA.Win.Packer.Upx-1', 'suspicious'],
  ['Win.Virus.Sality-1', 'malware'],
  ['somebody.else.s.name', 'malware'],
]

test.each(NAMES)('%s is of the family %s', (signature, threat) => {
  const kind = signature.startsWith('Heuristics.') ? 'heuristic' : 'virus'
  expect(threatOf({ scanner: 'clamav', kind, signature })).toBe(threat)
})

test('a name never leads out of the closed set, whatever it is', () => {
  for (const signature of ['', '{}"\n', 'x'.repeat(1000)]) {
    expect(THREATS).toContain(threatOf({ scanner: 'clamav', kind: 'virus', signature }))
  }
})

test.each([
  ['no action', {}, undefined],
  ['add header', {}, 'spam'],
  ['reject', { BAYES_SPAM: 5 }, 'spam'],
  ['reject', { GTUBE: 0 }, 'test'],
  ['soft reject', {}, undefined],
  ['an action of tomorrow', {}, undefined],
] as const)('rspamd’s %s with %j is %s', (action, symbols, threat) => {
  const score = { score: 1, requiredScore: 15, action, symbols, headers: [] }
  expect(threatOf({ scanner: 'rspamd', kind: 'scored', ...score })).toBe(threat)
})

test('what is clean, or could not be scanned, is no threat', () => {
  expect(threatOf({ scanner: 'clamav', kind: 'clean' })).toBeUndefined()
  const failed = { kind: 'could-not-scan', failure: 'timeout', detail: 'Trojan' } as const
  expect(threatOf({ scanner: 'clamav', ...failed })).toBeUndefined()
})
