// What became of a recipient in one attempt, and what a next hop's reply means for it. Pure.
// Only a clear 5yz to what was said about this message or this recipient fails. Everything else that is not a success
// is deferred: 4yz, no answer, an early close, a reply that makes no sense there.
import type { Protection } from '../mail/record.ts'
import type { NextHopReply } from './smtp-reply-parser.ts'

export type OutcomeKind = 'delivered' | 'deferred' | 'failed'

export type Outcome = Readonly<{
  kind: OutcomeKind
  recipient: string
  /** The route that the recipient's domain takes, by its name in metrics. */
  route?: string
  /** For people: `smtp://127.0.0.1:25`, `maildir:data/maildir/new/…`; 'no route' where there is none. */
  nextHop: string
  /** IP address of the next hop, where a connection with it came about. */
  remoteAddress?: string
  /** The next hop's last word in one line, or ours: `connection refused`. */
  reply: string
  /** Taken by a next hop that reports to the sender itself where that was asked for (RFC 3461). */
  dsn?: boolean
  /** The dot went out, no answer came: the next hop may have it. */
  inDoubt?: true
  /** From the beginning of the attempt to this outcome. */
  seconds: number
  /** Nobody was asked: not before then, milliseconds since 1970, and it does not count as an attempt. */
  retryAt?: number
}> &
  Protection

/** Of an outcome or a session: what protected it, alone. */
export function protectionOf({ tls, tlsVerified, tlsFailure }: Protection): Protection {
  return {
    ...(tls !== undefined && { tls }),
    ...(tlsVerified !== undefined && { tlsVerified }),
    ...(tlsFailure !== undefined && { tlsFailure }),
  }
}

/** Where in the dialogue a reply was given. `hello` is EHLO, LHLO or HELO; `dot` the end of the content. */
export type Step = 'greeting' | 'hello' | 'mail' | 'rcpt' | 'data' | 'dot'

/**
 * Codes that speak of the session, not of the message: bad sequence, authentication or encryption required
 * (RFC 5321 §4.2.3, RFC 4954 §6, RFC 3207 §4). An operator can mend that; nobody's mail is lost meanwhile.
 */
const ABOUT_THE_SESSION = new Set([503, 530, 534, 535, 538])

/** What a reply at a step leads to: the dialogue goes on (at the dot: delivered), or the attempt ends like this. */
export function classifyReply(step: Step, { code, lines: [text = ''] }: NextHopReply): 'ok' | 'deferred' | 'failed' {
  if (step === 'data' ? code === 354 : code < 300) return 'ok'
  // RFC 5321 §4.2.1: 4yz is transient. 2yz or 3yz in the wrong place means that we lost each other.
  if (code < 500 || ABOUT_THE_SESSION.has(code)) return 'deferred'
  switch (step) {
    case 'greeting':
    case 'hello':
      // RFC 5321 §3.1, RFC 7504: this host does not want to talk to us now; the message is not what it is about.
      return 'deferred'
    case 'rcpt':
      return isTooManyRecipients(code, text) ? 'deferred' : 'failed'
    case 'mail':
    case 'data':
    case 'dot':
      return 'failed'
  }
}

/** RFC 5321 §4.5.3.1.10: 552 to RCPT is to be read as 452, unless an enhanced code says that it is something else. */
function isTooManyRecipients(code: number, text: string): boolean {
  return code === 552 && !/^5\.(?!5\.3 )/.test(text)
}

/** Our own words, by how they begin, and what they stand for: subject and detail of RFC 3463 §3, RFC 5248. */
const OUR_WORDS: readonly (readonly [RegExp, string])[] = [
  [/^TLS is required/, '7.4'],
  [/^TLS failed/, '7.5'],
  [/^no login as .* without TLS/, '7.11'],
  [/^no login as .* offers neither/, '7.4'],
  [/^no login as /, '7.8'],
  [/^host not found/, '4.4'],
  [/^the name service did not answer/, '4.3'],
  [/^(?:connection (?:refused|timed out)|no connection within|(?:host|network) unreachable)/, '4.1'],
  [/^(?:connection (?:closed|reset)|no reply to|no content taken)/, '4.2'],
]

/**
 * The enhanced code of an outcome (RFC 3463): the one that the reply gave where it is of the outcome's class, else
 * what little is known. Without a reply it was the way to the next hop (X.4, X.7) or our own disk (X.3.0).
 */
export function dsnCode({ kind, nextHop, reply }: Pick<Outcome, 'kind' | 'nextHop' | 'reply'>): string {
  const outcomeClass = { delivered: 2, deferred: 4, failed: 5 }[kind]
  const [, said] = /^\d{3}[ -](\d\.\d{1,3}\.\d{1,3})\b/.exec(reply) ?? []
  if (said?.startsWith(`${outcomeClass}.`)) return said
  if (kind === 'delivered' || /^\d{3}\b/.test(reply)) return `${outcomeClass}.0.0`
  if (nextHop.startsWith('maildir:')) return `${outcomeClass}.3.0`
  return `${outcomeClass}.${OUR_WORDS.find(([words]) => words.test(reply))?.[1] ?? '4.0'}`
}
