// A dialogue with a next hop in which no mail is handed over: for who wants to know whether it takes a recipient.
// Met as delivery meets it, TLS (also from the first octet on), login and names as its route says; never pooled.
import type { NextHop } from './next-hop.ts'
import type { TlsSessions } from './next-hop-tls.ts'
import { nextHopName } from './routes.ts'
import { DEFAULT_TIMEOUTS } from './smtp-connection.ts'
import type { NextHopReply } from './smtp-reply-parser.ts'
import { openSession, quit, type SmtpSession } from './smtp-session.ts'

export type NextHopDialogue = Readonly<{
  extensions: SmtpSession['extensions']
  /** A command without its CRLF, and the reply to it. Rejects as the opening did. */
  say(command: string): Promise<NextHopReply>
  /** Says goodbye; nobody waits for it. */
  leave(): void
}>

export type NextHopDialogues = Readonly<{
  /** `smtp://127.0.0.1:25`, for people. */
  name: string
  /** Rejects with NextHopError, or with the signal's reason, which ends the dialogue later on too. */
  open(signal: AbortSignal): Promise<NextHopDialogue>
}>

/** `tlsSessions`: to resume, and to add to. */
export type DialogueOptions = Readonly<{ hostname: string; tlsSessions: TlsSessions }>

export function dialoguesWith(nextHop: NextHop, { hostname, tlsSessions }: DialogueOptions): NextHopDialogues {
  const timeouts = DEFAULT_TIMEOUTS
  return {
    name: nextHopName(nextHop),
    async open(signal) {
      const attempt = { endBy: performance.now() + timeouts.attempt, signal }
      const session = await openSession(nextHop, { hostname, timeouts, tlsSessions }, attempt)
      const { connection, extensions } = session
      const cut = () => connection.fail(signal.reason)
      signal.addEventListener('abort', cut)
      return {
        extensions,
        async say(command) {
          connection.write(`${command}\r\n`)
          return await connection.reply(command.split(/[ :]/, 1)[0]!, timeouts.rcpt)
        },
        leave() {
          signal.removeEventListener('abort', cut)
          void quit(session, timeouts.quit)
        },
      }
    },
  }
}
