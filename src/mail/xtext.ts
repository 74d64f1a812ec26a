// xtext: text as an SMTP parameter can carry it (RFC 3461 §4), and the form that international addresses have there
// (RFC 6533 §3). Pure; what is no xtext comes back as undefined.

/** `+` and `=`, blanks and whatever is not printable ASCII become `+` and two hexadecimal digits, octet by octet. */
export function encodeXtext(text: string): string {
  return Buffer.from(text)
    .toString('latin1')
    .replaceAll(/[^!-~]|[+=]/g, octet => `+${octet.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
}

/** Undefined also for what stands for anything but printable ASCII: no line end may come out of it. */
export function decodeXtext(xtext: string): string | undefined {
  if (!/^(?:[!-*,-<>-~]|\+[0-9A-F]{2})*$/.test(xtext)) return undefined
  const text = xtext.replaceAll(/\+(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return /^[ -~]*$/.test(text) ? text : undefined
}

/** `r\x{E9}n\x{E9}@example.com` (utf-8-addr-xtext, RFC 6533 §3): for where only ASCII may stand. */
export function escapeUtf8Address(address: string): string {
  return address.replaceAll(/[^!-~]|[\\+=]/gu, character => `\\x{${codePoint(character)}}`)
}

/** The address behind escapes; undefined where one stands for no character, or for a control. */
export function unescapeUtf8Address(text: string): string | undefined {
  if (/\\(?!x\{[0-9A-F]{2,6}\})/.test(text)) return undefined
  const codes = [...text.matchAll(/\\x\{([0-9A-F]+)\}/g)].map(([, hex]) => Number.parseInt(hex!, 16))
  if (codes.some(code => code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))) return undefined
  const address = text.replaceAll(/\\x\{([0-9A-F]+)\}/g, (_, hex: string) =>
    String.fromCodePoint(Number.parseInt(hex, 16)),
  )
  return /\p{Cc}/u.test(address) ? undefined : address
}

function codePoint(character: string): string {
  return character.codePointAt(0)!.toString(16).toUpperCase().padStart(2, '0')
}
