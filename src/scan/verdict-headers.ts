// The header fields that tell a recipient's mail program what the scanners said. Pure.
// X-Virus-Scanned and X-Virus-Status (as clamav-milter), X-Spam-Status, X-Spam-Score and X-Spam-Flag (as SpamAssassin),
// then what rspamd itself wants to add, such as Authentication-Results.

import { headerField } from '../mail/header-value.ts'
import type { Finding, HeaderField } from '../mail/verdict.ts'

export type HeaderOptions = Readonly<{
  /** The decision is `tag` because of spam. */
  spam: boolean
  /** Also tell about messages that are no spam, and what rspamd wants to add. */
  addHeaders: boolean
  /** In place of Infected or Suspicious, where the finding does not count. */
  statusOf?: (finding: Finding) => 'Ignored' | 'Released' | undefined
}>

/** The fields for these findings, safe to put in front of a message. A scanner that did not scan is always told. */
export function verdictHeaders(findings: readonly Finding[], options: HeaderOptions): HeaderField[] {
  const own = findings.flatMap(finding => fieldsFor(finding, options))
  const names = new Set(own.map(([name]) => name.toLowerCase()))
  const others = findings
    .flatMap(finding => (finding.kind === 'scored' && options.addHeaders ? finding.headers : []))
    .filter(({ name }) => !names.has(name.toLowerCase()))
    .map(({ name, value }) => [name, value] as const)
  return [...own, ...others].map(([name, value]) => headerField(name, value)).filter(field => field !== undefined)
}

type NameAndValue = readonly [name: string, value: string]

function fieldsFor(finding: Finding, { spam, addHeaders, statusOf }: HeaderOptions): NameAndValue[] {
  switch (finding.kind) {
    case 'clean':
      return virusStatus('Clean')
    case 'virus':
      return virusStatus(`${statusOf?.(finding) ?? 'Infected'} (${finding.signature})`)
    case 'heuristic':
      return virusStatus(`${statusOf?.(finding) ?? 'Suspicious'} (${finding.signature})`)
    case 'scored': {
      if (!spam && !addHeaders) return []
      const score = finding.score.toFixed(2)
      const status = `${spam ? 'Yes' : 'No'}, score=${score} required=${finding.requiredScore.toFixed(2)}`
      const fields: NameAndValue[] = [
        ['X-Spam-Status', status],
        ['X-Spam-Score', score],
      ]
      return spam ? [...fields, ['X-Spam-Flag', 'YES']] : fields
    }
    case 'could-not-scan':
      return finding.scanner === 'clamav'
        ? [['X-Virus-Scanned', `no (${finding.failure})`]]
        : [['X-Spam-Status', `Unknown, not scanned (${finding.failure})`]]
  }
}

function virusStatus(status: string): NameAndValue[] {
  return [
    ['X-Virus-Scanned', 'ClamAV'],
    ['X-Virus-Status', status],
  ]
}
