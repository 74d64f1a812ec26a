// The words of AUTH: SASL PLAIN (RFC 4616) and LOGIN in SMTP (RFC 4954), as steps from the client's lines to a name and
// a password. Pure: each step that asks something holds the function that takes the answer. Never throws on input;
// nothing here says whether a password is right, and what cannot be one is refused as a wrong one is.
import { isUtf8 } from 'node:buffer'
import { invalidCredentials } from '../auth/login.ts'
import { type Reply, reply } from '../mail/reply.ts'

export type Credentials = Readonly<{ user: string; password: string }>

export type SaslStep =
  /** Send 334 with `text`, base64 already; `continue` takes the client's next line, without its CRLF. */
  | Readonly<{ kind: 'challenge'; text: string; continue: (line: string) => SaslStep }>
  | (Readonly<{ kind: 'credentials' }> & Credentials)
  | Readonly<{ kind: 'refused'; reply: Reply }>

/** As EHLO lists them behind AUTH. */
export const MECHANISMS = ['PLAIN', 'LOGIN'] as const

/** Octets of a line in an exchange, CRLF included (RFC 4954 §4). */
export const LONGEST_SASL_LINE = 12_288

/** RFC 4616 §2 asks for 255 at least. Tokens that serve as passwords are longer. */
const LONGEST_NAME = 320
const LONGEST_PASSWORD = 4096

const unknownMechanism = refused(504, '5.5.4', `Unknown mechanism, choose ${MECHANISMS.join(' or ')}`)
const notBase64 = refused(501, '5.5.2', 'That is not base64')
const tooLong = refused(500, '5.5.6', 'Authentication exchange line is too long')
const cancelled = refused(501, '5.0.0', 'Authentication cancelled')
const malformed = refused(501, '5.5.2', 'That is no message of this mechanism')
const invalid: SaslStep = { kind: 'refused', reply: invalidCredentials }

function refused(code: number, enhancedCode: string, text: string): SaslStep {
  return { kind: 'refused', reply: reply(code, enhancedCode, text) }
}

/** `initialResponse` is what stands behind the mechanism in the AUTH command, undefined when nothing does. */
export function startSasl(mechanism: string, initialResponse?: string): SaslStep {
  // "=" is how a client says nothing at all in the command itself (RFC 4954 §4).
  const first = initialResponse === '=' ? '' : initialResponse
  switch (mechanism.toUpperCase()) {
    case 'PLAIN':
      return first === undefined ? ask('', plain) : decode(first, plain)
    case 'LOGIN':
      return first === undefined ? ask('Username:', loginName) : decode(first, loginName)
    default:
      return unknownMechanism
  }
}

function ask(prompt: string, then: (octets: Buffer) => SaslStep): SaslStep {
  const text = Buffer.from(prompt).toString('base64')
  return { kind: 'challenge', text, continue: line => (line === '*' ? cancelled : decode(line, then)) }
}

function decode(line: string, then: (octets: Buffer) => SaslStep): SaslStep {
  if (line.length > LONGEST_SASL_LINE - 2) return tooLong
  // RFC 4648 §3.3: what is not of the alphabet, or not padded, is an error and not skipped.
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(line)) return notBase64
  return then(Buffer.from(line, 'base64'))
}

/** RFC 4616 §2: [authzid] NUL authcid NUL passwd. */
function plain(octets: Buffer): SaslStep {
  if (!isUtf8(octets)) return malformed
  const [authorizedAs, user, password, ...more] = octets.toString('utf8').split('\0')
  if (user === undefined || password === undefined || more.length > 0) return malformed
  // Nobody may act as somebody else here.
  return authorizedAs === '' || authorizedAs === user ? credentials(user, password) : invalid
}

function loginName(octets: Buffer): SaslStep {
  return isUtf8(octets) ? ask('Password:', answer => loginPassword(octets.toString('utf8'), answer)) : malformed
}

function loginPassword(user: string, octets: Buffer): SaslStep {
  return isUtf8(octets) ? credentials(user, octets.toString('utf8')) : malformed
}

/** The name goes into logs and headers, so it has no control characters; a password may hold anything but NUL. */
function credentials(user: string, password: string): SaslStep {
  const possible =
    user !== '' &&
    password !== '' &&
    Buffer.byteLength(user) <= LONGEST_NAME &&
    Buffer.byteLength(password) <= LONGEST_PASSWORD &&
    !/\p{Cc}|[\u2028\u2029]/u.test(user) &&
    !password.includes('\0')
  return possible ? { kind: 'credentials', user, password } : invalid
}
