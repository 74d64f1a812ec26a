// RCPT call-ahead: asks the next hop itself whether it takes a recipient, in a session of its own that ends before
// DATA. A 2yz to RCPT is a yes; 550, 551, 553, 554 and 556 a no; anything else (a full mailbox, a busy or broken
// server, a refusal before RCPT, which says nothing about the recipient) means later. Never rejects; one deadline for
// all, and a peer that talks without end is cut.
import { connect, type Socket } from 'node:net'
import type { NextHop } from './policy-context.ts'
import type { RecipientAnswer } from './recipient-answer.ts'

export type CallAheadOptions = Readonly<{
  /** Our name for EHLO. */
  hostname: string
  /** Milliseconds for the whole session. */
  timeout?: number
}>

type HopReply = Readonly<{ code: number; lines: readonly string[] }>

const TIMEOUT = 30_000
/** Octets of all replies together. */
const MOST_OCTETS = 65_536
const NO = new Set([550, 551, 553, 554, 556])

/** Asks one next hop about one recipient. */
export async function callAhead(
  nextHop: NextHop,
  recipient: string,
  { hostname, timeout = TIMEOUT }: CallAheadOptions,
): Promise<RecipientAnswer> {
  const { protocol, host, port } = nextHop
  const later = (why: string): RecipientAnswer => ({ kind: 'later', why: `${protocol}://${host}:${port}: ${why}` })
  const socket = connect({ host, port, noDelay: true })
  const late = new Error(`no answer within ${timeout / 1000} s`)
  const deadline = setTimeout(() => socket.destroy(late), timeout)
  socket.once('close', () => clearTimeout(deadline))
  socket.on('error', () => {}) // told by the replies
  const replies = repliesOf(socket)

  async function reply(): Promise<HopReply> {
    const next = await replies.next()
    if (next.done) throw new Error('connection closed by the next hop')
    return next.value
  }
  function say(command: string): Promise<HopReply> {
    socket.write(`${command}\r\n`)
    return reply()
  }

  try {
    const greeting = await reply()
    if (greeting.code !== 220) return later(`greeted with ${textOf(greeting)}`)
    let hello = await say(`${protocol === 'lmtp' ? 'LHLO' : 'EHLO'} ${hostname}`)
    if (protocol === 'smtp' && hello.code >= 500) hello = await say(`HELO ${hostname}`)
    if (hello.code !== 250) return later(`said ${textOf(hello)} to our greeting`)
    const international = /[^\0-\x7f]/.test(recipient)
    // A server without SMTPUTF8 can have no such mailbox (RFC 6531 §3.2).
    if (international && !hello.lines.some(line => /^SMTPUTF8$/i.test(line))) return { kind: 'unknown' }
    const mail = await say(`MAIL FROM:<>${international ? ' SMTPUTF8' : ''}`)
    if (mail.code !== 250) return later(`said ${textOf(mail)} to the null sender`)
    const answer = await say(`RCPT TO:<${recipient}>`)
    if (answer.code < 300) return { kind: 'known' }
    return NO.has(answer.code) ? { kind: 'unknown' } : later(`said ${textOf(answer)}`)
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException
    return later(code ?? message)
  } finally {
    // Nobody waits for the goodbye.
    say('QUIT')
      .catch(() => undefined)
      .finally(() => socket.destroy())
  }
}

/** The replies as they come (RFC 5321 §4.2.1). Throws on what is none, on too many octets and on a broken connection. */
async function* repliesOf(socket: Socket): AsyncGenerator<HopReply, void> {
  let octets = 0
  let unfinished = ''
  let lines: string[] = []
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    octets += chunk.length
    if (octets > MOST_OCTETS) throw new Error('the next hop says too much')
    const pieces = (unfinished + chunk.toString('latin1')).split('\n')
    unfinished = pieces.pop() ?? ''
    for (const line of pieces) {
      const [, code, separator, text = ''] = /^([2-5]\d\d)([ -]|$)(.*)$/.exec(line.replace(/\r$/, '')) ?? []
      if (code === undefined) throw new Error('the next hop does not speak SMTP')
      lines.push(text)
      if (separator === '-') continue
      yield { code: Number(code), lines }
      lines = []
    }
  }
}

function textOf({ code, lines }: HopReply): string {
  return `${code} ${lines.join(' ')}`.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 200)
}
