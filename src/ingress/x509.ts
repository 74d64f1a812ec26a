// A self-signed certificate for TLS servers (RFC 5280): an elliptic key (P-256), DNS names, a time, nothing more.
// Node can read and check certificates but makes none; of DER only the few shapes that this one certificate has are here.
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'

export type CertificateTerms = Readonly<{
  /** DNS names in ASCII, at least one. */
  names: readonly string[]
  /** Milliseconds since 1970; seconds count. */
  notBefore: number
  notAfter: number
}>

/** Makes a key and signs a certificate for it with it, both in PEM form. */
export function makeCertificate({ names, notBefore, notAfter }: CertificateTerms): { cert: string; key: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const name = sequence(set(sequence(OID.commonName, der(0x0c, Buffer.from(commonName(names))))))
  const signed = sequence(
    der(0xa0, der(INTEGER, Buffer.from([2]))), // version 3
    der(INTEGER, serialNumber()),
    sequence(OID.ecdsaWithSha256),
    name,
    sequence(time(notBefore), time(notAfter)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions(names))),
  )
  const signature = sign('sha256', signed, privateKey)
  return {
    cert: pem('CERTIFICATE', sequence(signed, sequence(OID.ecdsaWithSha256), bitString(signature, 0))),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

const INTEGER = 0x02
const OID = {
  ecdsaWithSha256: der(0x06, Buffer.from('2a8648ce3d040302', 'hex')),
  commonName: der(0x06, Buffer.from('550403', 'hex')),
  basicConstraints: der(0x06, Buffer.from('551d13', 'hex')),
  keyUsage: der(0x06, Buffer.from('551d0f', 'hex')),
  extendedKeyUsage: der(0x06, Buffer.from('551d25', 'hex')),
  subjectAltName: der(0x06, Buffer.from('551d11', 'hex')),
  serverAuth: der(0x06, Buffer.from('2b06010505070301', 'hex')),
} as const

function extensions(names: readonly string[]): readonly Buffer[] {
  const critical = der(0x01, Buffer.from([0xff]))
  const octets = (value: Buffer) => der(0x04, value)
  return [
    sequence(OID.basicConstraints, critical, octets(sequence())),
    sequence(OID.keyUsage, critical, octets(bitString(Buffer.from([0x80]), 7))), // digitalSignature
    sequence(OID.extendedKeyUsage, octets(sequence(OID.serverAuth))),
    sequence(OID.subjectAltName, octets(sequence(...names.map(name => der(0x82, Buffer.from(name, 'latin1')))))),
  ]
}

/** At most 64 characters (RFC 5280, ub-common-name); the names that count are the others. */
function commonName([first = '']: readonly string[]): string {
  return first.length > 64 ? 'Elemta' : first
}

/** Positive and without a leading zero octet, whatever the dice say. */
function serialNumber(): Buffer {
  const serial = randomBytes(16)
  serial.writeUInt8((serial.readUInt8(0) & 0x3f) | 0x40, 0)
  return serial
}

/** UTCTime through the year 2049, GeneralizedTime after (RFC 5280 §4.1.2.5). */
function time(at: number): Buffer {
  const text = `${new Date(at).toISOString().slice(0, 19).replaceAll(/\D/g, '')}Z`
  return text < '2050' ? der(0x17, Buffer.from(text.slice(2))) : der(0x18, Buffer.from(text))
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts))
}

function set(...parts: readonly Buffer[]): Buffer {
  return der(0x31, Buffer.concat(parts))
}

function bitString(bits: Buffer, unused: number): Buffer {
  return der(0x03, Buffer.concat([Buffer.from([unused]), bits]))
}

/** Tag, length, value (X.690 §8.1); a length over 127 says first how many octets it has. */
function der(tag: number, value: Buffer): Buffer {
  const { length } = value
  if (length < 128) return Buffer.concat([Buffer.from([tag, length]), value])
  const octets = Buffer.from(length.toString(16).padStart(length > 0xff ? 4 : 2, '0'), 'hex')
  return Buffer.concat([Buffer.from([tag, 0x80 | octets.length]), octets, value])
}

function pem(label: string, content: Buffer): string {
  const lines = content.toString('base64').match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n')
}
