// What clients and next hops say, made harmless for lines that other programs take apart with regular expressions.
// No value can end a line, nor look like the structure of one: `<…>` holds no space and no `>`, in running text the
// sequences that pflogsumm and fail2ban look for (`]: `, `=<`) are broken up. Pure; never throws.
import { isIP } from 'node:net'

/** One log object, as it was written in JSON. */
export type LogEntry = Readonly<Record<string, unknown>>

/** One line without its time and host: `postfix/PROGRAM[PID]: TEXT`. */
export type ProgramLine = Readonly<{ program: string; text: string; pid?: number }>

/** Longer values are cut; what a mail log's readers take is a few thousand octets a line. */
const LONGEST = 1000
/** Control, format, unassigned and private characters, line and paragraph separators. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu

/** A field as text, '' where there is none. */
export function field(entry: LogEntry, name: string): string {
  const value = entry[name]
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}

/** A field as a number, `fallback` where it is none. */
export function numberField(entry: LogEntry, name: string, fallback = 0): number {
  const value = entry[name]
  return typeof value === 'number' && Number.isFinite(value) ? value : fallback
}

export function stringsField(entry: LogEntry, name: string): readonly string[] {
  const value = entry[name]
  return Array.isArray(value) ? value.filter(one => typeof one === 'string') : []
}

/** `<value>`: an address, a HELO name, a Message-ID. */
export function inAngles(value: string): string {
  return `<${cut(value)
    .replaceAll(/[\s<>]/g, '?')
    .replaceAll(UNPRINTABLE, '?')}>`
}

/** Running text on one line: replies, reasons. */
export function plain(text: string): string {
  const line = cut(text).replaceAll(/\s+/g, ' ').replaceAll(UNPRINTABLE, '?')
  return line.replaceAll(']:', '] :').replaceAll('=<', '= <').trim()
}

/** `name=text`, which is never taken for an address: those alone are `name=<…>`. */
export function pair(name: string, text: string): string {
  const value = plain(text)
  return `${name}=${value.startsWith('<') ? ' ' : ''}${value}`
}

/** Running text in which no program finds an address either: square brackets become round ones. */
export function withoutBrackets(text: string): string {
  return plain(text).replaceAll('[', '(').replaceAll(']', ')')
}

/** `name[192.0.2.1]` as Postfix names a client, `unknown` where its name was not looked up. */
export function peer(entry: LogEntry): string {
  const address = field(entry, 'client')
  const name = field(entry, 'clientName').replaceAll(/[^\w.-]/g, '')
  return `${name === '' ? 'unknown' : name}[${isIP(address) === 0 ? 'unknown' : address}]`
}

function cut(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}...` : text
}
