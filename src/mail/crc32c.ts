// CRC-32C (Castagnoli), as the PROXY protocol version 2 has it. Node's zlib knows only the other CRC-32.

/** The polynomial 0x1EDC6F41, its bits in reverse. */
const POLYNOMIAL = 0x82f63b78

const TABLE = Uint32Array.from({ length: 256 }, (_, octet) => {
  let crc = octet
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1
  return crc
})

/** An unsigned number of 32 bits. */
export function crc32c(octets: Uint8Array): number {
  let crc = 0xffffffff
  for (const octet of octets) crc = (crc >>> 8) ^ (TABLE[(crc ^ octet) & 0xff] ?? 0)
  return ~crc >>> 0
}
