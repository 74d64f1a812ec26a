// What a sender asked of reports, as parameters of MAIL and RCPT (RFC 3461 §4). Pure.
// Values are encoded anew, so that nothing in them can end the parameter or the command.
import type { Envelope, Recipient } from '../mail/envelope.ts'
import { encodeXtext, escapeUtf8Address } from '../mail/xtext.ts'

/** ` RET=HDRS ENVID=…`, or nothing. */
export function mailDsnParameters({ ret, envelopeId }: Pick<Envelope, 'ret' | 'envelopeId'>): string {
  return [
    ret === undefined ? '' : ` RET=${ret === 'full' ? 'FULL' : 'HDRS'}`,
    envelopeId === undefined || envelopeId === '' ? '' : ` ENVID=${encodeXtext(envelopeId)}`,
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
  return type.toLowerCase() === 'utf-8' ? escapeUtf8Address(address) : encodeXtext(address)
}
