// Authentication-Results (RFC 8601) from the symbols of rspamd, for one that does not write the field itself: its
// milter_headers module is off, or spares local and authenticated senders. Pure.
import type { AcceptedMessage } from '../mail/record.ts'
import type { HeaderField } from '../mail/verdict.ts'

type Results = Readonly<Record<string, string>>

const SPF: Results = {
  R_SPF_ALLOW: 'pass',
  R_SPF_FAIL: 'fail',
  R_SPF_SOFTFAIL: 'softfail',
  R_SPF_NEUTRAL: 'neutral',
  R_SPF_DNSFAIL: 'temperror',
  R_SPF_PERMFAIL: 'permerror',
  R_SPF_NA: 'none',
}
/** A signature that passes before others that do not. */
const DKIM: Results = {
  R_DKIM_ALLOW: 'pass',
  R_DKIM_REJECT: 'fail',
  R_DKIM_TEMPFAIL: 'temperror',
  R_DKIM_PERMFAIL: 'permerror',
  R_DKIM_NA: 'none',
}
const DMARC: Results = {
  DMARC_POLICY_ALLOW: 'pass',
  DMARC_POLICY_ALLOW_WITH_FAILURES: 'pass',
  DMARC_POLICY_REJECT: 'fail',
  DMARC_POLICY_QUARANTINE: 'fail',
  DMARC_POLICY_SOFTFAIL: 'fail',
  DMARC_DNSFAIL: 'temperror',
  DMARC_BAD_POLICY: 'permerror',
  DMARC_NA: 'none',
}

/** `headers` with exactly one Authentication-Results: rspamd's own, where there is one, else ours. */
export function withAuthenticationResults(
  headers: readonly HeaderField[],
  symbols: Readonly<Record<string, number>>,
  { client, envelope }: Pick<AcceptedMessage, 'client' | 'envelope'>,
  hostname: string,
): HeaderField[] {
  const isResults = ({ name }: HeaderField) => name.toLowerCase() === 'authentication-results'
  const given = headers.find(isResults)
  const others = headers.filter(header => !isResults(header))
  if (given !== undefined) return [...others, given]

  const result = (results: Results) => Object.entries(results).find(([symbol]) => Object.hasOwn(symbols, symbol))?.[1]
  const [spf, dkim, dmarc] = [result(SPF), result(DKIM), result(DMARC)]
  const { reversePath } = envelope
  const checked = reversePath === '' ? `smtp.helo=${quoted(client.helo)}` : `smtp.mailfrom=${quoted(reversePath)}`
  const results = [
    ...(dkim === undefined ? [] : [`dkim=${dkim}`]),
    ...(spf === undefined ? [] : [`spf=${spf} ${checked}`]),
    ...(dmarc === undefined ? [] : [`dmarc=${dmarc}`]),
    ...(client.user === undefined ? [] : [`auth=pass smtp.auth=${quoted(client.user)}`]),
  ]
  const value = [hostname, ...(results.length > 0 ? results : ['none'])].join(';\r\n\t')
  return [...others, { name: 'Authentication-Results', value }]
}

/** A value (RFC 2045 §5.1): as it is where it is a token or an address of tokens, else in quotes. */
function quoted(text: string): string {
  if (/^[\w!#$%&'*+.^`{|}~-]+(@[\w.-]+)?$/.test(text)) return text
  return `"${text.replaceAll(/[^ -~]/gu, '?').replaceAll(/["\\]/g, '\\$&')}"`
}
