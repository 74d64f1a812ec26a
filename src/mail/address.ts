// Mail addresses as MAIL and RCPT give them, parsed strictly (RFC 5321 §4.1.2, §4.1.3; RFC 6531 §3.3).
// An address has one form here: local part with its case kept and quoted only where it must be, domain in lower-case
// ASCII (A-labels), so that two spellings of one mailbox compare equal and nobody behind us maps a domain again.
// Never throws on input: what is not an address is a named problem.
import { isIPv4, isIPv6 } from 'node:net'
import { domainToASCII, domainToUnicode } from 'node:url'

export type PathProblem =
  | 'syntax'
  | 'too-long' // local part over 64 octets, domain over 255, or all over 254 (RFC 5321 §4.5.3.1)
  | 'needs-smtputf8' // not ASCII, and MAIL did not say SMTPUTF8
  | 'routed' // a recipient's local part that names another host: `user%host`, `host!user`, `"user@host"`

/** `address` is '' for the null sender and has no domain for `postmaster`. */
export type ParsedPath = Readonly<{ ok: true; address: string } | { ok: false; problem: PathProblem }>

const ASCII = /^[\x20-\x7e]*$/
const DOT_STRING = /^[\w!#$%&'*+/=?^`{|}~\u0080-\u{10ffff}-]+(?:\.[\w!#$%&'*+/=?^`{|}~\u0080-\u{10ffff}-]+)*$/u
const QUOTED_STRING = /^"(?:[\x20\x21\x23-\x5b\x5d-\x7e\u0080-\u{10ffff}]|\\[\x20-\x7e])*"/u
/** Controls, separators, lone surrogates, direction overrides and what a careless decoder leaves behind. */
const NEVER_IN_LOCAL_PART = /(?! )[\p{Cc}\p{Cs}\p{Z}\u202a-\u202e\u2066-\u2069\ufeff\ufffd]/u
/** Underscores are against RFC 1123 and in daily use; a last label of digits only would be an unbracketed IP address. */
const HOST = /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*(?!\d+$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/

/** The path of MAIL, without its angle brackets: an address or nothing (the null sender). */
export function parseReversePath(text: string, smtputf8: boolean): ParsedPath {
  if (text === '') return { ok: true, address: '' }
  return parsePath(text, smtputf8)
}

/** The path of RCPT, without its angle brackets: an address without routing, or `postmaster` (RFC 5321 §4.5.1). */
export function parseForwardPath(text: string, smtputf8: boolean): ParsedPath {
  if (text.toLowerCase() === 'postmaster') return { ok: true, address: 'postmaster' }
  const parsed = parsePath(text, smtputf8)
  if (!parsed.ok) return parsed
  // A next hop that still knows such routes would send the mail on to anybody (full-width characters included).
  const localPart = parsed.address.slice(0, parsed.address.lastIndexOf('@'))
  return /[@%!]/.test(localPart.normalize('NFKC')) ? { ok: false, problem: 'routed' } : parsed
}

/**
 * A domain or address literal in its one form: lower case, A-labels; undefined when it is neither. An international
 * name may be lower-cased and composed on the way (RFC 5895), nothing else: a mapping that makes another character
 * or a dot out of one (U+3002, full-width letters) is refused, since a filter and a mailer may differ on it.
 */
export function canonicalDomain(text: string): string | undefined {
  if (text.startsWith('[')) return canonicalLiteral(text)
  const lower = text.toLowerCase()
  if (ASCII.test(text)) {
    if (!HOST.test(lower)) return undefined
    return lower.includes('xn--') && domainToASCII(lower) !== lower ? undefined : lower
  }
  const ascii = domainToASCII(text)
  if (!HOST.test(ascii) || domainToUnicode(ascii) !== lower.normalize('NFC')) return undefined
  const labels = ascii.split('.')
  const mappedAway = text.split('.').some((label, n) => !ASCII.test(label) && !labels[n]?.startsWith('xn--'))
  return mappedAway ? undefined : ascii
}

function canonicalLiteral(text: string): string | undefined {
  const inside = text.endsWith(']') ? text.slice(1, -1).toLowerCase() : ''
  if (isIPv4(inside)) return `[${inside}]`
  if (inside.startsWith('ipv6:') && isIPv6(inside.slice(5)) && !inside.includes('%')) return `[${inside}]`
  return undefined
}

function parsePath(text: string, smtputf8: boolean): ParsedPath {
  const mailbox = withoutSourceRoute(text)
  if (mailbox === undefined) return { ok: false, problem: 'syntax' }
  const quoted = QUOTED_STRING.exec(mailbox)?.[0]
  const given = quoted ?? mailbox.slice(0, Math.max(0, mailbox.indexOf('@')))
  if (mailbox[given.length] !== '@') return { ok: false, problem: 'syntax' }
  const domainGiven = mailbox.slice(given.length + 1)

  const bad = NEVER_IN_LOCAL_PART.test(given) || (quoted === undefined && !DOT_STRING.test(given))
  const domain = canonicalDomain(domainGiven)
  if (bad || domain === undefined) return { ok: false, problem: 'syntax' }
  if (!smtputf8 && !ASCII.test(mailbox)) return { ok: false, problem: 'needs-smtputf8' }

  const localPart = quoted === undefined ? given : canonicalQuoted(quoted)
  const address = `${localPart}@${domain}`
  const tooLong = Buffer.byteLength(localPart) > 64 || domain.length > 255 || Buffer.byteLength(address) > 254
  return tooLong ? { ok: false, problem: 'too-long' } : { ok: true, address }
}

/** `@a,@b:user@c` asks for a way through a and b; nobody takes it any more (RFC 5321 appendix C). */
function withoutSourceRoute(text: string): string | undefined {
  if (!text.startsWith('@')) return text
  const colon = text.indexOf(':')
  const hops = text.slice(0, Math.max(0, colon)).split(',')
  const sound = hops.every(hop => hop.startsWith('@') && canonicalDomain(hop.slice(1)) !== undefined)
  return sound ? text.slice(colon + 1) : undefined
}

/** `"a"` and `"\a"` are `a` (RFC 5321 §4.1.2); quotes stay only around what needs them. */
function canonicalQuoted(quoted: string): string {
  const content = quoted.slice(1, -1).replaceAll(/\\(.)/g, '$1')
  return DOT_STRING.test(content) ? content : `"${content.replaceAll(/["\\]/g, '\\$&')}"`
}
