// RCPT call-ahead: asks the next hop itself whether it takes a recipient, in a session of its own that ends before
// DATA, and that is met as delivery would meet it: TLS and login as the route wants them.
// A 2yz to RCPT is a yes; 550, 551, 553, 554 and 556 a no; anything else (a full mailbox, a busy or broken server, TLS
// that does not come about, a refusal before RCPT, which says nothing about the recipient) means later. Never rejects;
// one deadline for all.
import type { AskedHop, HopDialogue, HopReply } from './policy-context.ts'
import type { RecipientAnswer } from './recipient-answer.ts'

/** Milliseconds for the whole session. */
const TIMEOUT = 30_000
const NO = new Set([550, 551, 553, 554, 556])

/** Asks one next hop about one recipient. */
export async function callAhead(hop: AskedHop, recipient: string, timeout = TIMEOUT): Promise<RecipientAnswer> {
  const deadline = new AbortController()
  const late = new Error(`no answer within ${timeout / 1000} s`)
  const timer = setTimeout(() => deadline.abort(late), timeout)
  let dialogue: HopDialogue | undefined
  try {
    dialogue = await hop.open(deadline.signal)
    return await ask(dialogue, recipient)
  } catch (error) {
    return { kind: 'later', why: `${hop.name}: ${(error as Error).message}` }
  } finally {
    clearTimeout(timer)
    dialogue?.leave()
  }
}

/** Throws what means later. */
async function ask({ extensions, say }: HopDialogue, recipient: string): Promise<RecipientAnswer> {
  const international = /[^\0-\x7f]/.test(recipient)
  // A server without SMTPUTF8 can have no such mailbox (RFC 6531 §3.2).
  if (international && !extensions.has('SMTPUTF8')) return { kind: 'unknown' }
  const mail = await say(`MAIL FROM:<>${international ? ' SMTPUTF8' : ''}`)
  if (mail.code !== 250) throw new Error(`said ${textOf(mail)} to the null sender`)
  const answer = await say(`RCPT TO:<${recipient}>`)
  if (answer.code < 300) return { kind: 'known' }
  if (NO.has(answer.code)) return { kind: 'unknown' }
  throw new Error(`said ${textOf(answer)}`)
}

function textOf({ code, lines }: HopReply): string {
  return `${code} ${lines.join(' ')}`.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 200)
}
