// What a sender asked of reports, as parameters of MAIL and RCPT (RFC 3461 §4). Pure.
// Values are encoded anew, so that nothing in them can end the parameter or the command.
import type { Envelope, Recipient } from '../mail/envelope.ts'

/** ` RET=HDRS ENVID=…`, or nothing. */
export function mailDsnParameters({ ret, envelopeId }: Pick<Envelope, 'ret' | 'envelopeId'>): string {
  return [
    ret === undefined ? '' : ` RET=${ret === 'full' ? 'FULL' : 'HDRS'}`,
    envelopeId === undefined || envelopeId === '' ? '' : ` ENVID=${xtext(envelopeId)}`,
  ].join('')
}

/** ` NOTIFY=FAILURE,DELAY ORCPT=rfc822;…`, or nothing. */
export function rcptDsnParameters({ notify, originalRecipient }: Omit<Recipient, 'address'>): string {
  const occasions = notify?.length === 0 ? 'NEVER' : notify?.join(',').toUpperCase()
  const [, type, address] = /^([a-z0-9-]+);(.+)$/is.exec(originalRecipient ?? '') ?? []
  return [
    occasions === undefined ? '' : ` NOTIFY=${occasions}`,
    type === undefined || address === undefined ? '' : ` ORCPT=${type};${encodeAddress(type, address)}`,
  ].join('')
}

/** RFC 6533 §3: addresses of the type utf-8 have an encoding of their own. */
function encodeAddress(type: string, address: string): string {
  if (type.toLowerCase() !== 'utf-8') return xtext(address)
  return address.replaceAll(
    /[^!-~]|[+=\\]/gu,
    character => `\\x{${character.codePointAt(0)!.toString(16).toUpperCase()}}`,
  )
}

/** RFC 3461 §4: printable ASCII as it is, but for + and =; the rest as +XX, octet by octet. */
export function xtext(text: string): string {
  const hex = (octet: number) => `+${octet.toString(16).toUpperCase().padStart(2, '0')}`
  return text.replaceAll(/[^!-~]|[+=]/gu, character => [...Buffer.from(character)].map(hex).join(''))
}
