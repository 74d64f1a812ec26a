// PROXY protocol version 2: binary. Signature, version and command, family and transport, length, addresses, then
// fields of type, length and value (TLV), of which only the checksum is looked at.
import ipaddr from 'ipaddr.js'
import { crc32c } from '../mail/crc32c.ts'
import type { ProxyProgress } from './proxy-header.ts'

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
/** Signature, version and command, family and transport, length. */
const FIXED = 16
/** Octets behind the fixed part; load balancers send some dozens, certificates in TLVs included some hundreds. */
const LONGEST = 4096
const LOCAL = 0x20
const PROXY = 0x21
const CRC32C = 0x03

/** By family and transport: octets of one address, or 0 where none can be a client of ours. */
const ADDRESS_LENGTH: Readonly<Record<number, number>> = {
  0: 0, // unspecified
  17: 4, // TCP over IPv4
  33: 16, // TCP over IPv6
  49: 0, // UNIX stream
}

/** True as long as these octets may become a header of this version. */
export function startsV2(octets: Buffer): boolean {
  const length = Math.min(octets.length, SIGNATURE.length)
  return octets.compare(SIGNATURE, 0, length, 0, length) === 0
}

/** Parses all octets received so far; they begin as `startsV2` asks. */
export function parseProxyV2(octets: Buffer): ProxyProgress {
  if (octets.length < FIXED) return { state: 'more' }
  const command = octets.readUInt8(12)
  if (command !== LOCAL && command !== PROXY) return refused('neither LOCAL nor PROXY of version 2')
  const length = octets.readUInt16BE(14)
  if (length > LONGEST) return refused(`${length} octets of addresses, over ${LONGEST}`)
  if (octets.length < FIXED + length) return { state: 'more' }

  const rest = octets.subarray(FIXED + length)
  const unknown: ProxyProgress = { state: 'done', client: undefined, rest }
  // The rest of the header of LOCAL is not to be looked at.
  if (command === LOCAL) return unknown
  const addressLength = ADDRESS_LENGTH[octets.readUInt8(13)]
  if (addressLength === undefined) return refused('a transport that is not TCP')
  if (addressLength === 0) return unknown
  const addresses = 2 * addressLength + 4
  if (length < addresses) return refused('too short for its addresses')
  const header = octets.subarray(0, FIXED + length)
  const wrong = wrongInFields(header, FIXED + addresses)
  if (wrong !== undefined) return refused(wrong)

  const source = ipaddr.fromByteArray([...header.subarray(FIXED, FIXED + addressLength)])
  const port = header.readUInt16BE(FIXED + 2 * addressLength)
  return { state: 'done', client: { address: ipaddr.process(source.toString()).toString(), port }, rest }
}

/** What is wrong in the TLVs. A checksum that is there must be right; it is taken with its own octets as zero. */
function wrongInFields(header: Buffer, start: number): string | undefined {
  for (let at = start; at < header.length; ) {
    if (at + 3 > header.length) return 'half a field'
    const value = at + 3
    const end = value + header.readUInt16BE(at + 1)
    if (end > header.length) return 'half a field'
    if (header[at] === CRC32C) {
      if (end - value !== 4) return 'a checksum that is none'
      const zeroed = Buffer.from(header).fill(0, value, end)
      if (crc32c(zeroed) !== header.readUInt32BE(value)) return 'a wrong checksum'
    }
    at = end
  }
  return undefined
}

function refused(why: string): ProxyProgress {
  return { state: 'refused', why: `PROXY version 2: ${why}` }
}
