// One command line of a client, parsed (RFC 5321 §4.1, RFC 1870, 3461, 6152, 6531). Knows no state: whether a command
// fits the moment is the session's question. Never throws on input: what is not a command comes back as its refusal.
import { isUtf8 } from 'node:buffer'
import type { Envelope, Recipient } from '../mail/envelope.ts'
import { type Reply, reply } from '../mail/reply.ts'
import { parseEnvelopeId, parseNotify, parseOriginalRecipient, parseRet } from './dsn-parameters.ts'
import { unsupportedParameter } from './replies.ts'

export type Command =
  | Readonly<{ verb: 'EHLO' | 'HELO'; name: string }>
  /** `path` is what stands between the angle brackets, not yet parsed. `size` in octets, as the client declares it. */
  | (Readonly<{ verb: 'MAIL'; path: string; size: number; auth: boolean }> & MailParameters)
  | Readonly<{ verb: 'RCPT'; path: string; dsn: RcptParameters }>
  | Readonly<{ verb: 'AUTH'; mechanism: string; initialResponse: string | undefined }>
  | Readonly<{ verb: 'XCLIENT' | 'XFORWARD'; argument: string }>
  | Readonly<{ verb: 'STARTTLS' | 'DATA' | 'RSET' | 'NOOP' | 'QUIT' | 'VRFY' | 'EXPN' | 'HELP' }>
  | Readonly<{ verb: 'refused'; reply: Reply }>

/** What MAIL says that belongs to the envelope. */
export type MailParameters = Pick<Envelope, 'body' | 'smtputf8' | 'ret' | 'envelopeId'>
/** What RCPT says besides the address. */
export type RcptParameters = Omit<Recipient, 'address'>

const notUnderstood = refused(500, '5.5.2', 'Command not recognized')
const notUtf8 = refused(500, '5.5.2', 'Command is not UTF-8 or has control characters')
const notHere = refused(502, '5.5.1', 'Command not implemented')
const noArgument = refused(501, '5.5.4', 'This command takes no argument')
const helloSyntax = refused(501, '5.5.4', 'Syntax: EHLO hostname')
const mailSyntax = refused(501, '5.5.4', 'Syntax: MAIL FROM:<address>')
const rcptSyntax = refused(501, '5.5.4', 'Syntax: RCPT TO:<address>')
const authSyntax = refused(501, '5.5.4', 'Syntax: AUTH mechanism')
const badParameter = refused(501, '5.5.4', 'Bad or repeated parameter')
const unknownParameter: Command = { verb: 'refused', reply: unsupportedParameter }
/** A browser or a script that was tricked into talking to us: nothing that it says may become mail. */
const notSmtp = refused(421, '4.7.0', 'This is a mail server')

function refused(code: number, enhancedCode: string, text: string): Command {
  return { verb: 'refused', reply: reply(code, enhancedCode, text) }
}

/** Parses a line without its CRLF. */
export function parseCommand(line: Buffer): Command {
  const text = decode(line)
  if (text === undefined) return notUtf8
  const space = text.indexOf(' ')
  const verb = (space === -1 ? text : text.slice(0, space)).toUpperCase()
  const argument = space === -1 ? '' : text.slice(space + 1).trim()
  switch (verb) {
    case 'EHLO':
    case 'HELO':
      return /^[!-~]{1,255}$/.test(argument) ? { verb, name: argument } : helloSyntax
    case 'MAIL':
      return parseMail(argument)
    case 'RCPT':
      return parseRcpt(argument)
    case 'STARTTLS':
    case 'DATA':
    case 'RSET':
    case 'QUIT':
      return argument === '' ? { verb } : noArgument
    case 'NOOP':
    case 'VRFY':
    case 'EXPN':
    case 'HELP':
      return { verb }
    case 'AUTH':
      return parseAuth(argument)
    case 'XCLIENT':
    case 'XFORWARD':
      return { verb, argument }
    case 'BDAT':
    case 'ETRN':
    case 'TURN':
      return notHere
    case 'GET':
    case 'HEAD':
    case 'POST':
    case 'PUT':
    case 'DELETE':
    case 'OPTIONS':
    case 'PATCH':
    case 'TRACE':
    case 'CONNECT':
      return notSmtp
    default:
      return notUnderstood
  }
}

/** Text of a line, undefined when it is not UTF-8 or has control characters: nothing printable is lost or invented. */
function decode(line: Buffer): string | undefined {
  const text = line.toString('latin1')
  if (/^[ -~]*$/.test(text)) return text
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return !/[\x00-\x1f\x7f]/.test(text) && isUtf8(line) ? line.toString('utf8') : undefined
}

/** `FROM:<path> PARAMETERS`; a blank behind the colon is wrong, harmless and common. */
function splitPath(argument: string, keyword: string): { path: string; parameters: string[] } | undefined {
  if (argument.slice(0, keyword.length).toUpperCase() !== keyword) return undefined
  const match = /^ ?<((?:[^<>"\\]|"(?:[^"\\]|\\.)*")*)>(?: +(.*))?$/.exec(argument.slice(keyword.length))
  if (match === null) return undefined
  return { path: match[1] ?? '', parameters: match[2]?.split(/ +/) ?? [] }
}

/** RFC 4954 §4. */
function parseAuth(argument: string): Command {
  const [mechanism = '', initialResponse, ...rest] = argument.split(' ')
  if (mechanism === '' || rest.length > 0) return authSyntax
  return { verb: 'AUTH', mechanism: mechanism.toUpperCase(), initialResponse }
}

/** Upper-case names with their values as they are; undefined when one is there twice. */
function parametersIn(parameters: readonly string[]): Map<string, string | undefined> | undefined {
  const found = new Map<string, string | undefined>()
  for (const parameter of parameters) {
    const [name = '', value] = parameter.split(/=(.*)/, 2)
    if (found.has(name.toUpperCase())) return undefined
    found.set(name.toUpperCase(), value)
  }
  return found
}

function parseRcpt(argument: string): Command {
  const split = splitPath(argument, 'TO:')
  if (split === undefined) return rcptSyntax
  const parameters = parametersIn(split.parameters)
  if (parameters === undefined) return badParameter
  let dsn: RcptParameters = {}
  for (const [name, value = ''] of parameters) {
    if (name === 'NOTIFY') {
      const notify = parseNotify(value)
      if (notify === undefined) return badParameter
      dsn = { ...dsn, notify }
    } else if (name === 'ORCPT') {
      const originalRecipient = parseOriginalRecipient(value)
      if (originalRecipient === undefined) return badParameter
      dsn = { ...dsn, originalRecipient }
    } else return unknownParameter
  }
  return { verb: 'RCPT', path: split.path, dsn }
}

function parseMail(argument: string): Command {
  const split = splitPath(argument, 'FROM:')
  if (split === undefined) return mailSyntax
  const parameters = parametersIn(split.parameters)
  if (parameters === undefined) return badParameter
  let size = 0
  let auth = false
  let said: MailParameters = { body: '7BIT', smtputf8: false }
  for (const [name, value] of parameters) {
    switch (name) {
      case 'SIZE':
        if (value === undefined || !/^\d{1,20}$/.test(value)) return badParameter
        size = Number(value)
        break
      case 'BODY': {
        const body = value?.toUpperCase()
        if (body !== '7BIT' && body !== '8BITMIME') return badParameter
        said = { ...said, body }
        break
      }
      case 'SMTPUTF8':
        if (value !== undefined) return badParameter
        said = { ...said, smtputf8: true }
        break
      case 'RET': {
        const ret = parseRet(value ?? '')
        if (ret === undefined) return badParameter
        said = { ...said, ret }
        break
      }
      case 'ENVID': {
        const envelopeId = parseEnvelopeId(value ?? '')
        if (envelopeId === undefined) return badParameter
        said = { ...said, envelopeId }
        break
      }
      case 'AUTH':
        // Who submitted it first, as somebody else says (RFC 4954 §5): nothing that we would believe.
        if (value === undefined) return badParameter
        auth = true
        break
      default:
        return unknownParameter
    }
  }
  return { verb: 'MAIL', path: split.path, size, auth, ...said }
}
