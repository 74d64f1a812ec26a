// XCLIENT and XFORWARD, by which a relay of ours names the client that it speaks for (as Postfix documents them):
// XCLIENT changes who the client is for every decision, XFORWARD only what the log says.
// Pure; input never throws. Who may use them is the caller's question: from a stranger both are forgery.
import { canonicalAddress } from '../mail/networks.ts'
import { type Reply, reply } from '../mail/reply.ts'

/** A key that is there and undefined was said to be [UNAVAILABLE]; one that is not there keeps its value. */
type Told<T> = { readonly [K in keyof T]?: T[K] | undefined }

export type XclientAttributes = Told<{
  /** In its one spelling, IPv4-mapped ones as plain IPv4. A client without an address is in no network. */
  address: string
  port: number
  /** The client's host name, as the relay looked it up. */
  name: string
  /** [TEMPUNAVAIL]: nobody knows yet, so nothing may be refused for good because of it. */
  nameTemporarilyUnknown: true
  helo: string
  protocol: 'SMTP' | 'ESMTP'
  /** The authenticated user. */
  login: string
  /** Where the client connected to. */
  destinationAddress: string
  destinationPort: number
}>

export type XforwardAttributes = Told<{
  name: string
  address: string
  port: number
  protocol: string
  helo: string
  /** The queue id before us. */
  ident: string
  source: 'LOCAL' | 'REMOTE'
}>

export type Parsed<T> = Readonly<{ attributes: T } | { refused: Reply }>

/** What EHLO says to those who may use them. */
export const XCLIENT_KEYWORD = 'XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT'
export const XFORWARD_KEYWORD = 'XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE'

const LONGEST_VALUE = 255

/** Reads a decoded value into attributes; undefined when the value is none. */
type Reader<T> = (value: string | undefined) => T | undefined

const XCLIENT = new Map<string, Reader<XclientAttributes>>([
  ['ADDR', reader('address', readAddress)],
  ['PORT', reader('port', readPort)],
  ['HELO', reader('helo', matching(/^[!-~]+$/))],
  ['PROTO', reader('protocol', oneOf('SMTP', 'ESMTP'))],
  ['LOGIN', reader('login', matching(/^[^\p{C}\p{Z}]+$/u))],
  ['DESTADDR', reader('destinationAddress', readAddress)],
  ['DESTPORT', reader('destinationPort', readPort)],
  ['NAME', readName],
])

const XFORWARD = new Map<string, Reader<XforwardAttributes>>([
  ['NAME', reader('name', harmless(LONGEST_VALUE))],
  ['ADDR', reader('address', readAddress)],
  ['PORT', reader('port', readPort)],
  ['PROTO', reader('protocol', harmless(64))],
  ['HELO', reader('helo', harmless(LONGEST_VALUE))],
  ['IDENT', reader('ident', harmless(LONGEST_VALUE))],
  ['SOURCE', reader('source', oneOf('LOCAL', 'REMOTE'))],
])

/**
 * What stands behind `XCLIENT `. When it was taken, the session begins anew: the answer is the greeting, and EHLO
 * comes next.
 */
export function parseXclient(argument: string): Parsed<XclientAttributes> {
  return parse(argument, XCLIENT)
}

/** What stands behind `XFORWARD `. Adds to what earlier ones said; all of it ends with the next transaction. */
export function parseXforward(argument: string): Parsed<XforwardAttributes> {
  return parse(argument, XFORWARD)
}

function parse<T extends object>(argument: string, readers: ReadonlyMap<string, Reader<T>>): Parsed<T> {
  let attributes = {} as T
  const seen = new Set<string>()
  for (const part of argument.trim().split(/ +/)) {
    const equals = part.indexOf('=')
    const name = part.slice(0, Math.max(0, equals)).toUpperCase()
    const read = readers.get(name)
    if (read === undefined || seen.has(name)) return refuse('Unknown, repeated or missing attribute')
    seen.add(name)
    const value = decodeXtext(part.slice(equals + 1))
    const attribute = value === undefined ? undefined : read(/^\[unavailable\]$/i.test(value) ? undefined : value)
    if (attribute === undefined) return refuse(`Bad ${name} attribute value`)
    attributes = { ...attributes, ...attribute }
  }
  return { attributes }
}

function refuse(text: string): { refused: Reply } {
  return { refused: reply(501, '5.5.4', text) }
}

/** RFC 3461 §4, except that `=` may stand as it is: older relays send values that are not encoded. */
function decodeXtext(text: string): string | undefined {
  if (!/^(?:[!-*,-~]|\+[0-9a-f]{2})+$/i.test(text)) return undefined
  const octets = text.replaceAll(/\+(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  const value = Buffer.from(octets, 'latin1').toString()
  return value.length > LONGEST_VALUE || value.includes('\ufffd') ? undefined : value
}

function reader<K extends string, V>(key: K, read: (value: string) => V | undefined) {
  return (value: string | undefined) => {
    if (value === undefined) return { [key]: undefined } as { [P in K]: V | undefined }
    const found = read(value)
    return found === undefined ? undefined : ({ [key]: found } as { [P in K]: V | undefined })
  }
}

function readName(value: string | undefined): XclientAttributes | undefined {
  if (value === undefined) return { name: undefined, nameTemporarilyUnknown: undefined }
  if (/^\[tempunavail\]$/i.test(value)) return { name: undefined, nameTemporarilyUnknown: true }
  return /^[\w.-]+$/.test(value) ? { name: value.toLowerCase(), nameTemporarilyUnknown: undefined } : undefined
}

function readAddress(value: string): string | undefined {
  return canonicalAddress(value.replace(/^ipv6:/i, ''))
}

function readPort(value: string): number | undefined {
  return /^\d{1,5}$/.test(value) && Number(value) <= 65_535 ? Number(value) : undefined
}

function matching(pattern: RegExp) {
  return (value: string) => (pattern.test(value) ? value : undefined)
}

function oneOf<V extends string>(...values: readonly V[]) {
  return (value: string) => values.find(known => known === value.toUpperCase())
}

/**
 * These come from a stranger by way of the relay and are only written down: what has a meaning in a header becomes a
 * question mark, since a refusal would punish the relay.
 */
function harmless(longest: number) {
  return (value: string) => (value.length > longest ? undefined : value.replaceAll(/[^!-~]|[<>()\\";@]/g, '?'))
}
