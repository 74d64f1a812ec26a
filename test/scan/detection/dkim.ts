// A key pair for DKIM (RFC 6376), its DNS record as lines of unbound's configuration, and signatures made with it.
import { createHash, generateKeyPairSync, sign } from 'node:crypto'

export type DkimKey = Readonly<{ zone: string; sign(message: Buffer): Buffer }>

const SIGNED = ['from', 'to', 'subject', 'date', 'message-id']

export function createDkimKey(domain: string, selector: string): DkimKey {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const encoded = publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
  // A string of a TXT record holds 255 octets (RFC 1035 §3.3.14).
  const strings = `v=DKIM1; k=rsa; p=${encoded}`.match(/.{1,250}/g)!.map(part => `"${part}"`)
  return {
    zone: `  local-data: '${selector}._domainkey.${domain}. 60 IN TXT ${strings.join(' ')}'`,
    sign(message) {
      const [head = '', ...rest] = message.toString('latin1').split('\r\n\r\n')
      const body = canonicalBody(rest.join('\r\n\r\n'))
      const bodyHash = createHash('sha256').update(body, 'latin1').digest('base64')
      const fields = head.split(/\r\n(?![ \t])/)
      const given = SIGNED.flatMap(name => fields.find(field => field.toLowerCase().startsWith(`${name}:`)) ?? [])
      const names = given.map(field => field.slice(0, field.indexOf(':')).toLowerCase()).join(':')
      const time = Math.floor(Date.now() / 1000) - 5
      const tags = `v=1; a=rsa-sha256; c=relaxed/relaxed; d=${domain}; s=${selector}; t=${time}`
      const unsigned = `DKIM-Signature: ${tags}; h=${names}; bh=${bodyHash}; b=`
      const data = [...given, unsigned].map(canonicalField).join('\r\n')
      const signature = sign('sha256', Buffer.from(data, 'latin1'), privateKey).toString('base64')
      return Buffer.concat([Buffer.from(`${unsigned}${signature.replace(/.{70}/g, '$&\r\n\t')}\r\n`), message])
    },
  }
}

/** RFC 6376 §3.4.2, relaxed. */
function canonicalField(field: string): string {
  const colon = field.indexOf(':')
  const value = field
    .slice(colon + 1)
    .replaceAll('\r\n', '')
    .replaceAll(/[ \t]+/g, ' ')
  return `${field.slice(0, colon).toLowerCase().trim()}:${value.trim()}`
}

/** RFC 6376 §3.4.4, relaxed. */
function canonicalBody(body: string): string {
  const lines = body.split('\r\n').map(line => line.replaceAll(/[ \t]+/g, ' ').trimEnd())
  const text = lines.join('\r\n').replace(/(\r\n)+$/, '')
  return text === '' ? '' : `${text}\r\n`
}
