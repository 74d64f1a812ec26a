// One attempt of a load: a connection, a transaction, and the last thing that was said, by the delivery's own client.
// Never rejects: whatever goes wrong is an answer.
import { setTimeout as sleep } from 'node:timers/promises'
import { DEFAULT_TIMEOUTS, type DeliveryTimeouts } from '../../src/deliver/smtp-connection.ts'
import { openSession, quit } from '../../src/deliver/smtp-session.ts'
import { runTransaction } from '../../src/deliver/smtp-transaction.ts'

export type Server = Readonly<{ host: string; port: number }>

/** `code`: of the reply that decided; absent when there was none. `text`: that reply, or why there is none. */
export type Answer = Readonly<{ code?: number; text: string }>

export type Errand = Readonly<{
  server: Server
  /** TLS by STARTTLS, whatever the certificate. */
  tls: boolean
  auth?: Readonly<{ user: string; password: string }> | undefined
  from: string
  to: string
  mail: Buffer
  /** Milliseconds that the content takes; 0: as fast as can be. */
  slow: number
  /** Milliseconds for all of it. */
  patience: number
}>

const PIECES = 20
const CLIENT = 'load.sender.example'

export async function attempt({ server, tls, auth, from, to, mail, slow, patience }: Errand): Promise<Answer> {
  const timeouts = atMost(patience)
  const course = { endBy: performance.now() + patience }
  let said: string | undefined
  try {
    const nextHop = { protocol: 'smtp', ...server, tls: tls ? 'encrypt' : 'none', ...(auth && { auth }) } as const
    const session = await openSession(nextHop, { hostname: CLIENT, timeouts }, course)
    const transaction = {
      reversePath: from,
      recipients: [to],
      smtputf8: false,
      body: '8BITMIME',
      size: mail.length,
      content: () => inTime(mail, slow),
      headerHasUtf8: async () => false,
    } as const
    const report = async (results: readonly { reply: string }[]) => {
      said ??= results[0]?.reply
    }
    await runTransaction(session, transaction, { ...course, timeouts, report })
    await quit(session, timeouts.quit)
    return answerFrom(said ?? 'no reply')
  } catch (error) {
    return answerFrom(said ?? (error as Error).message)
  }
}

/** `451 4.7.1 …`, or our own words around what was said: `no login as bob: 535 5.7.8 …`. */
export function answerFrom(text: string): Answer {
  const [, code] = /^(?:no login as .*?: )?([245]\d\d)[ -]/s.exec(text) ?? []
  return { text, ...(code !== undefined && { code: Number(code) }) }
}

async function* inTime(mail: Buffer, milliseconds: number): AsyncGenerator<Buffer> {
  const size = milliseconds === 0 ? mail.length : Math.ceil(mail.length / PIECES)
  for (let at = 0; at < mail.length; at += size) {
    if (at > 0) await sleep(milliseconds / (PIECES - 1))
    yield mail.subarray(at, at + size)
  }
}

function atMost(milliseconds: number): DeliveryTimeouts {
  const limited = Object.entries(DEFAULT_TIMEOUTS).map(([what, time]) => [what, Math.min(time, milliseconds)])
  return Object.fromEntries(limited) as DeliveryTimeouts
}
