// Sends one message to a gateway of ours, by the delivery's own client.
import type { NextHop } from '../src/deliver/next-hop.ts'
import { DEFAULT_TIMEOUTS } from '../src/deliver/smtp-connection.ts'
import { openSession, quit } from '../src/deliver/smtp-session.ts'
import { runTransaction } from '../src/deliver/smtp-transaction.ts'

export type Letter = Readonly<{
  mail: Buffer
  from: string
  to: string
  nextHop: NextHop
  /** In EHLO. */
  helo: string
  /** Milliseconds for all of it, up to the final dot. */
  patience: number
  signal?: AbortSignal
}>

/** One transaction; returns the last reply. Rejects with NextHopError when there is nobody to talk to, or the talk breaks. */
export async function transmit({ mail, from, to, nextHop, helo, patience, signal }: Letter): Promise<string> {
  const attempt = { endBy: performance.now() + patience, signal }
  const session = await openSession(nextHop, { hostname: helo, timeouts: DEFAULT_TIMEOUTS }, attempt)
  let said = ''
  const transaction = {
    reversePath: from,
    recipients: [to],
    smtputf8: false,
    body: '8BITMIME',
    size: mail.length,
    async *content() {
      yield mail
    },
    headerHasUtf8: async () => false,
  } as const
  const report = async (results: readonly { reply: string }[]) => {
    said = results[0]?.reply ?? said
  }
  await runTransaction(session, transaction, { ...attempt, timeouts: DEFAULT_TIMEOUTS, report })
  await quit(session, 1000)
  return said
}

/** The queue id in our 250; undefined in any other reply. */
export function queueIdIn(reply: string): string | undefined {
  return /^250.* ([0-9A-Z]{20})$/.exec(reply)?.[1]
}
