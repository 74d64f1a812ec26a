// An SMTP reply as one value, so that code and enhanced code cannot disagree (RFC 5321 §4.2, RFC 3463 §2).
// The text is public: it never names a host behind us, a policy's inner workings or a path.
// An error that nobody classified becomes 451 4.3.0: unknown means later, never refused, never accepted.

/** What we say to a client. `enhancedCode` is empty only for 1yz/3yz codes and greetings, which have none. */
export type Reply = Readonly<{ code: number; enhancedCode: string; text: string }>

/** Builds a reply; throws RangeError when the enhanced code's class is not the code's first digit. */
export function reply(code: number, enhancedCode: string, text: string): Reply {
  if (enhancedCode !== '' && Math.floor(code / 100) !== Number(enhancedCode[0])) {
    throw new RangeError(`reply ${code} cannot carry the enhanced code ${enhancedCode}`)
  }
  return { code, enhancedCode, text }
}

/** The wire form, CRLF included. A text of several lines becomes a multi-line reply (RFC 5321 §4.2.1). */
export function formatReply({ code, enhancedCode, text }: Reply): string {
  const prefix = enhancedCode === '' ? '' : `${enhancedCode} `
  const lines = text.split('\n')
  const last = lines.length - 1
  return lines.map((line, n) => `${code}${n === last ? ' ' : '-'}${prefix}${line}\r\n`).join('')
}

/** One line for logs and traces: `451 4.3.0 Try again later`. */
export function replyText({ code, enhancedCode, text }: Reply): string {
  return [code, enhancedCode, text.replaceAll('\n', ' ')].filter(part => part !== '').join(' ')
}

/** The one reply to everything unknown. */
export const tryAgainLater = reply(451, '4.3.0', 'Temporary trouble here, try again later')

/** No room to keep the message (RFC 3463 X.3.1). */
export const storageFull = reply(451, '4.3.1', 'No room to store the message now, try again later')

/** An error that knows what to answer. `cause` and `message` are for the log, `reply` is for the client. */
export class SmtpError extends Error {
  override readonly name = 'SmtpError'
  readonly reply: Reply
  constructor(answer: Reply, message: string = answer.text, options?: ErrorOptions) {
    super(message, options)
    this.reply = answer
  }
}

/** The reply for anything thrown while a client waits. */
export function replyForError(error: unknown): Reply {
  if (error instanceof SmtpError) return error.reply
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ENOSPC' || code === 'EDQUOT') return storageFull
  return tryAgainLater
}
