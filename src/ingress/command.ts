// One command line of a client, parsed (RFC 5321 §4.1, RFC 1870, RFC 6152, RFC 6531). Knows no state: whether a command
// fits the moment is the session's question. Never throws on input: what is not a command comes back as its refusal.
import { isUtf8 } from 'node:buffer'
import { type Reply, reply } from '../mail/reply.ts'
import { unsupportedParameter } from './replies.ts'

export type Command =
  | Readonly<{ verb: 'EHLO' | 'HELO'; name: string }>
  /** `path` is what stands between the angle brackets, not yet parsed. `size` in octets, as the client declares it. */
  | Readonly<{ verb: 'MAIL'; path: string; size: number; body: '7BIT' | '8BITMIME'; smtputf8: boolean; auth: boolean }>
  | Readonly<{ verb: 'RCPT'; path: string }>
  | Readonly<{ verb: 'AUTH'; mechanism: string; initialResponse: string | undefined }>
  | Readonly<{ verb: 'XCLIENT' | 'XFORWARD'; argument: string }>
  | Readonly<{ verb: 'STARTTLS' | 'DATA' | 'RSET' | 'NOOP' | 'QUIT' | 'VRFY' | 'EXPN' | 'HELP' }>
  | Readonly<{ verb: 'refused'; reply: Reply }>

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

function parseRcpt(argument: string): Command {
  const split = splitPath(argument, 'TO:')
  if (split === undefined) return rcptSyntax
  return split.parameters.length > 0 ? unknownParameter : { verb: 'RCPT', path: split.path }
}

function parseMail(argument: string): Command {
  const split = splitPath(argument, 'FROM:')
  if (split === undefined) return mailSyntax
  const seen = new Set<string>()
  let size = 0
  let body: '7BIT' | '8BITMIME' = '7BIT'
  let smtputf8 = false
  let auth = false
  for (const parameter of split.parameters) {
    const [name = '', value] = parameter.toUpperCase().split(/=(.*)/, 2)
    if (seen.has(name)) return badParameter
    seen.add(name)
    if (name === 'SIZE') {
      if (value === undefined || !/^\d{1,20}$/.test(value)) return badParameter
      size = Number(value)
    } else if (name === 'BODY') {
      if (value !== '7BIT' && value !== '8BITMIME') return badParameter
      body = value
    } else if (name === 'SMTPUTF8') {
      if (value !== undefined) return badParameter
      smtputf8 = true
    } else if (name === 'AUTH') {
      // Who submitted it first, as somebody else says (RFC 4954 §5): nothing that we would believe.
      if (value === undefined) return badParameter
      auth = true
    } else return unknownParameter
  }
  return { verb: 'MAIL', path: split.path, size, body, smtputf8, auth }
}
