import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createProxyReader, type ProxyProgress } from '../../src/ingress/proxy-header.ts'
import { crc32c } from '../../src/mail/crc32c.ts'

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')

/** A header of version 2; `body` is what stands behind the length. */
function v2(commandOctet: number, family: number, body: Buffer, length = body.length): Buffer {
  const fixed = Buffer.from([commandOctet, family, length >> 8, length & 0xff])
  return Buffer.concat([SIGNATURE, fixed, body])
}

function tlv(type: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type, value.length >> 8, value.length & 0xff]), value])
}

const IPV4 = Buffer.from([192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 0x04, 0, 25])
const IPV6 = Buffer.from(
  '20010db8000000000000000000000001' + '20010db8000000000000000000000002' + 'dc04' + '0019',
  'hex',
)
const MAPPED = Buffer.from(
  '00000000000000000000ffffc0000201' + '00000000000000000000ffffc6336402' + 'dc04' + '0019',
  'hex',
)

function withChecksum(body: Buffer, spoil = 0): Buffer {
  const zeroed = v2(0x21, 0x11, Buffer.concat([body, tlv(0x03, Buffer.alloc(4)), tlv(0xea, Buffer.from('vpce-1'))]))
  const header = Buffer.from(zeroed)
  header.writeUInt32BE((crc32c(zeroed) ^ spoil) >>> 0, 16 + body.length + 3)
  return header
}

/** What comes of the octets when they arrive in these pieces. */
function read(pieces: readonly Buffer[]): ProxyProgress {
  const reader = createProxyReader()
  let progress: ProxyProgress = { state: 'more' }
  for (const [n, piece] of pieces.entries()) {
    progress = reader(piece)
    if (progress.state === 'refused') return progress
    if (progress.state === 'done') {
      return { ...progress, rest: Buffer.concat([progress.rest, ...pieces.slice(n + 1)]) }
    }
  }
  return progress
}

const bytewise = (octets: Buffer) => Array.from(octets, octet => Buffer.from([octet]))

const GOOD: readonly [string, Buffer, { address: string; port: number } | undefined][] = [
  ['v1 IPv4', line('PROXY TCP4 192.0.2.1 198.51.100.2 56324 25'), { address: '192.0.2.1', port: 56_324 }],
  ['v1 IPv6', line('PROXY TCP6 2001:DB8:0::1 2001:db8::2 1 65535'), { address: '2001:db8::1', port: 1 }],
  ['v1 mapped', line('PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.2 9 25'), { address: '192.0.2.1', port: 9 }],
  ['v1 unknown', line('PROXY UNKNOWN'), undefined],
  ['v1 unknown, more', line('PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535'), undefined],
  ['v1 longest', line(`PROXY UNKNOWN ${'x'.repeat(91)}`), undefined],
  ['v2 IPv4', v2(0x21, 0x11, IPV4), { address: '192.0.2.1', port: 56_324 }],
  ['v2 IPv6', v2(0x21, 0x21, IPV6), { address: '2001:db8::1', port: 56_324 }],
  ['v2 mapped', v2(0x21, 0x21, MAPPED), { address: '192.0.2.1', port: 56_324 }],
  [
    'v2 with TLVs',
    v2(0x21, 0x11, Buffer.concat([IPV4, tlv(4, Buffer.alloc(300))])),
    { address: '192.0.2.1', port: 56_324 },
  ],
  ['v2 with a checksum', withChecksum(IPV4), { address: '192.0.2.1', port: 56_324 }],
  ['v2 LOCAL', v2(0x20, 0x00, Buffer.alloc(0)), undefined],
  ['v2 LOCAL with addresses', v2(0x20, 0x11, IPV4), undefined],
  ['v2 unspecified', v2(0x21, 0x00, tlv(4, Buffer.alloc(3))), undefined],
  ['v2 UNIX', v2(0x21, 0x31, Buffer.alloc(216)), undefined],
]

const BAD: readonly [string, Buffer][] = [
  ['SMTP', line('EHLO client.example')],
  ['TLS', Buffer.from('16030100', 'hex')],
  ['a lower-case word', line('proxy TCP4 192.0.2.1 198.51.100.2 56324 25')],
  ['v1 without CR', Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.2 56324 25\n')],
  ['v1 too long', line(`PROXY UNKNOWN ${'x'.repeat(92)}`)],
  ['v1 without end', Buffer.from(`PROXY UNKNOWN ${'x'.repeat(200)}`)],
  ['v1 over UDP', line('PROXY UDP4 192.0.2.1 198.51.100.2 56324 25')],
  ['v1 with the other family', line('PROXY TCP4 2001:db8::1 2001:db8::2 56324 25')],
  ['v1 with a zone', line('PROXY TCP6 fe80::1%eth0 fe80::2 56324 25')],
  ['v1 with two spaces', line('PROXY TCP4  192.0.2.1 198.51.100.2 56324 25')],
  ['v1 with a port too high', line('PROXY TCP4 192.0.2.1 198.51.100.2 65536 25')],
  ['v1 with a signed port', line('PROXY TCP4 192.0.2.1 198.51.100.2 +1 25')],
  ['v1 without a port', line('PROXY TCP4 192.0.2.1 198.51.100.2 56324')],
  ['v1 with a field too many', line('PROXY TCP4 192.0.2.1 198.51.100.2 56324 25 1')],
  ['v1 with a short address', line('PROXY TCP4 192.0.2 198.51.100.2 56324 25')],
  ['v1 with another command inside', Buffer.from('PROXY TCP4 192.0.2.1\n198.51.100.2 56324 25\r\n')],
  ['v2 of version 3', v2(0x31, 0x11, IPV4)],
  ['v2 with command 2', v2(0x22, 0x11, IPV4)],
  ['v2 over UDP', v2(0x21, 0x12, IPV4)],
  ['v2 of no family', v2(0x21, 0x41, IPV4)],
  ['v2 too short for IPv4', v2(0x21, 0x11, IPV4.subarray(1))],
  ['v2 too short for IPv6', v2(0x21, 0x21, IPV4)],
  ['v2 too long', v2(0x21, 0x11, IPV4, 4097)],
  ['v2 with half a TLV', v2(0x21, 0x11, Buffer.concat([IPV4, Buffer.from([4, 0])]))],
  ['v2 with a TLV beyond its end', v2(0x21, 0x11, Buffer.concat([IPV4, Buffer.from([4, 0, 9, 1])]))],
  ['v2 with a wrong checksum', withChecksum(IPV4, 1)],
]

function line(text: string): Buffer {
  return Buffer.from(`${text}\r\n`)
}

test('the checksum is CRC-32C', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283)
})

describe('a PROXY header', () => {
  test.each(GOOD)('%s names the client, and what follows it is left', (_name, header, client) => {
    const octets = Buffer.concat([header, Buffer.from('EHLO a\r\n\0\xff')])
    const expected = { state: 'done', client, rest: octets.subarray(header.length) }
    expect(read([octets])).toEqual(expected)
    expect(read(bytewise(octets))).toEqual(expected)
    for (let length = 0; length < header.length; length++) {
      expect(read([header.subarray(0, length)])).toEqual({ state: 'more' })
    }
  })

  test.each(BAD)('%s is refused, whole and octet by octet', (_name, octets) => {
    const refused = read([octets])
    expect(refused).toMatchObject({ state: 'refused', why: expect.stringMatching(/PROXY/) })
    expect(read(bytewise(octets))).toEqual(refused)
  })

  const header = fc.constantFrom(...GOOD.map(([, octets]) => octets), ...BAD.map(([, octets]) => octets))
  const cuts = fc.array(fc.nat(400), { maxLength: 12 })

  function cut(octets: Buffer, places: readonly number[]): Buffer[] {
    const ends = [...places.filter(place => place < octets.length).sort((a, b) => a - b), octets.length]
    return ends.map((end, n) => octets.subarray(n === 0 ? 0 : ends[n - 1], end))
  }

  test('means the same however it is cut', () => {
    const octets = fc.tuple(header, fc.uint8Array({ maxLength: 40 })).map(parts => Buffer.concat(parts))
    fc.assert(
      fc.property(octets, cuts, (whole, places) => {
        expect(read(cut(whole, places))).toEqual(read([whole]))
      }),
    )
  })

  test('never throws and never holds more than it may, whatever comes', () => {
    const spoilt = fc
      .tuple(header, fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 4 }), fc.uint8Array({ maxLength: 60 }))
      .map(([octets, changes, more]) => {
        const changed = Buffer.concat([octets, more])
        for (const [at, octet] of changes) changed[at % changed.length] = octet
        return changed
      })
    const anything = fc.oneof(fc.uint8Array({ maxLength: 200 }).map(Buffer.from), spoilt)
    fc.assert(
      fc.property(anything, cuts, (octets, places) => {
        const whole = read([octets])
        expect(read(cut(octets, places))).toEqual(whole)
        // More of the same: a decision falls before the longest header is over.
        expect(read([octets, Buffer.alloc(4096 + 16, 'x')]).state).not.toBe('more')
        if (whole.state === 'done') expect(octets.subarray(octets.length - whole.rest.length)).toEqual(whole.rest)
      }),
      { numRuns: 1000 },
    )
  })
})
