// Which family a threat is of, from the name of ClamAV's signature or from Rspamd's score: a closed set, for counting.
// Signatures are named Platform.Category.Name-Number-Revision by ClamAV, and anyhow by others. Pure.
import type { Finding } from '../mail/verdict.ts'
import type { THREATS } from '../platform/catalogue/security.ts'
import { isRspamdAction, meaningOf } from './rspamd-action.ts'

export type Threat = (typeof THREATS)[number]

/** The first that matches counts: a test that says Trojan is a test. */
const BY_NAME: readonly (readonly [RegExp, Threat])[] = [
  [/eicar|[.-]test[.-]|^clamav-test/i, 'test'],
  [/ransom/i, 'ransomware'],
  [/phish/i, 'phishing'],
  [/worm/i, 'worm'],
  [/backdoor|\brat\b/i, 'backdoor'],
  [/download|dropper/i, 'downloader'],
  [/macro/i, 'macro'],
  [/exploit|cve[._-]?\d{4}/i, 'exploit'],
  [/trojan/i, 'trojan'],
  [/encrypted/i, 'encrypted'],
  [/^(heuristics|pua)\./i, 'suspicious'],
]

/** Undefined for what is no threat: clean, ham, not scanned. */
export function threatOf(finding: Finding): Threat | undefined {
  switch (finding.kind) {
    case 'virus':
      return byName(finding.signature) ?? 'malware'
    case 'heuristic':
      return byName(finding.signature) ?? 'suspicious'
    case 'scored': {
      const { action, symbols } = finding
      if ('GTUBE' in symbols) return 'test'
      return isRspamdAction(action) && meaningOf(action) !== 'pass' ? 'spam' : undefined
    }
    case 'clean':
    case 'could-not-scan':
      return undefined
  }
}

function byName(signature: string): Threat | undefined {
  return BY_NAME.find(([pattern]) => pattern.test(signature))?.[1]
}
