// PROXY protocol version 1: one line of text, `PROXY TCP4 192.0.2.1 198.51.100.2 56324 25`, CRLF.
import { isIPv4, isIPv6 } from 'node:net'
import { canonicalAddress } from '../mail/networks.ts'
import type { ProxiedClient, ProxyProgress } from './proxy-header.ts'

const START = Buffer.from('PROXY ')
/** The longest line that the protocol allows, CRLF included. */
const LONGEST = 107
const LF = 10
const CR = 13

/** True as long as these octets may become a header of this version. */
export function startsV1(octets: Buffer): boolean {
  const length = Math.min(octets.length, START.length)
  return octets.compare(START, 0, length, 0, length) === 0
}

/** Parses all octets received so far; they begin as `startsV1` asks. */
export function parseProxyV1(octets: Buffer): ProxyProgress {
  const lf = octets.subarray(0, LONGEST).indexOf(LF)
  if (lf === -1) return octets.length < LONGEST ? { state: 'more' } : refused('a line over 107 octets')
  if (octets[lf - 1] !== CR) return refused('a line that does not end in CRLF')
  const rest = octets.subarray(lf + 1)
  const [, family, ...fields] = octets.toString('latin1', 0, lf - 1).split(' ')
  // What follows UNKNOWN is not to be looked at.
  if (family === 'UNKNOWN') return { state: 'done', client: undefined, rest }
  if (family !== 'TCP4' && family !== 'TCP6') return refused('neither TCP4, TCP6 nor UNKNOWN')
  const client = clientOf(fields, family === 'TCP4' ? isIPv4 : isIPv6)
  return client === undefined ? refused(`no ${family} addresses and ports`) : { state: 'done', client, rest }
}

/** All four fields must be sound, though only the source is used. */
function clientOf(fields: string[], isAddress: (text: string) => boolean): ProxiedClient | undefined {
  const [source = '', destination = '', sourcePort = '', destinationPort = '', ...more] = fields
  if (more.length > 0 || !isAddress(source) || !isAddress(destination)) return undefined
  const address = canonicalAddress(source)
  const port = readPort(sourcePort)
  if (address === undefined || port === undefined || readPort(destinationPort) === undefined) return undefined
  return { address, port }
}

function readPort(text: string): number | undefined {
  const port = /^(?:0|[1-9]\d{0,4})$/.test(text) ? Number(text) : Number.NaN
  return port <= 65_535 ? port : undefined
}

function refused(why: string): ProxyProgress {
  return { state: 'refused', why: `PROXY version 1: ${why}` }
}
