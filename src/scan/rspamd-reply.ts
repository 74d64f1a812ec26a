// What rspamd's reply means. A reply that is cut, not understood or not 200 is `could-not-scan`. Pure.
// A scan that rspamd skipped counts: it skips only what its owner's settings exempt, and GTUBE.
// A soft reject without a scan (greylisting "too early", rate limits) does not: rspamd has not looked at the message.
import type { Finding, HeaderField } from '../mail/verdict.ts'
import { couldNotScan } from './scanner.ts'

type Json = Readonly<Record<string, unknown>>

const END_OF_HEAD = '\r\n\r\n'

/** The whole HTTP reply, until the connection's end. `peer` and `size` are for the detail. */
export function readCheckReply(reply: Buffer, peer: string, size: number): Finding {
  const protocolError = (what: string) => couldNotScan('rspamd', 'protocol', `rspamd at ${peer} ${what}`)

  const headEnd = reply.indexOf(END_OF_HEAD)
  const head = reply.toString('latin1', 0, headEnd === -1 ? 200 : headEnd)
  const [, status, reason = ''] = /^HTTP\/1\.[01] (\d{3})(?: ([ -~]*))?(?:\r\n|$)/.exec(head) ?? []
  if (status === undefined || headEnd === -1)
    return protocolError(`answered no HTTP: ${JSON.stringify(head.slice(0, 80))}`)
  const body = reply.subarray(headEnd + END_OF_HEAD.length)

  if (status === '413')
    return couldNotScan('rspamd', 'too-large', `rspamd at ${peer} refused ${size} octets (${reason})`)
  if (status === '401' || status === '403')
    return protocolError(`asks for a password (${status}); set password or secure_ip`)
  if (status !== '200') return protocolError(`answered ${status} ${reason}`)
  const length = /\r\ncontent-length:[ \t]*(\d+)/i.exec(head)?.[1]
  if (length !== undefined && body.length < Number(length)) {
    return protocolError(`broke off in its answer, after ${body.length} of ${length} octets`)
  }
  let json: unknown
  try {
    json = JSON.parse(body.toString('utf8', 0, length === undefined ? body.length : Number(length)))
  } catch {
    return protocolError(`answered no JSON: ${JSON.stringify(body.toString('utf8', 0, 80))}`)
  }
  return readScore(json) ?? protocolError('answered without a whole score')
}

function readScore(json: unknown): Finding | undefined {
  if (!isObject(json)) return undefined
  const { is_skipped: skipped, score, required_score: requiredScore, action, symbols: hits, milter } = json
  if (typeof skipped !== 'boolean' || !isNumber(score) || !isNumber(requiredScore)) return undefined
  if (typeof action !== 'string' || !isObject(hits)) return undefined

  const symbols: Record<string, number> = {}
  for (const [name, hit] of Object.entries(hits)) {
    if (!isObject(hit) || !isNumber(hit.score)) return undefined
    symbols[name] = hit.score
  }
  const names = Object.keys(symbols)
  if (action === 'soft reject' && names.length <= 1) {
    const who = names[0] ?? 'a rate limit'
    const advice = 'switch its greylist and ratelimit modules off for mail from Elemta'
    const detail = `rspamd put the message off without scanning it (${who}): ${advice}`
    return { scanner: 'rspamd', kind: 'could-not-scan', failure: 'protocol', detail, putOff: true }
  }
  const headers = isObject(milter) ? readHeaders(milter.add_headers) : []
  return { scanner: 'rspamd', kind: 'scored', score, requiredScore, action, symbols, headers }
}

/** Name → value, `{ value, order }`, or several of these. What is none of them is left out: it is decoration. */
function readHeaders(fields: unknown): HeaderField[] {
  if (!isObject(fields)) return []
  return Object.entries(fields).flatMap(([name, given]) =>
    (Array.isArray(given) ? given : [given])
      .map(one => (isObject(one) ? one.value : one))
      .filter(value => typeof value === 'string')
      .map(value => ({ name, value })),
  )
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}
