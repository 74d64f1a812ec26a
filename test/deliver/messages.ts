// Messages for the delivery tests, and the shortest way to have one delivered.

import { createDeliverer, type DelivererOptions } from '../../src/deliver/deliverer.ts'
import type { DotMark } from '../../src/deliver/dot-mark.ts'
import type { Outcome } from '../../src/deliver/outcome.ts'
import type { AcceptedMessage } from '../../src/mail/record.ts'
import type { HeaderField } from '../../src/mail/verdict.ts'
import type { Content } from '../../src/storage/message-store.ts'

export const QUEUE_ID = '01KAB2C3D4E5F6G7H8J9'
export const HOSTNAME = 'mx.example.com'

export function acceptedMessage(
  recipients: readonly string[] = ['bob@example.com'],
  changes: Partial<Omit<AcceptedMessage, 'envelope'>> & { envelope?: Partial<AcceptedMessage['envelope']> } = {},
): AcceptedMessage {
  const { envelope, ...rest } = changes
  return {
    queueId: QUEUE_ID,
    acceptedAt: Date.UTC(2026, 10, 22, 1, 37, 5),
    client: { address: '192.0.2.7', port: 4711, helo: 'client.example', esmtp: true },
    size: 0,
    ...rest,
    envelope: {
      reversePath: 'alice@sender.example',
      recipients: recipients.map(address => ({ address })),
      smtputf8: false,
      body: '7BIT',
      ...envelope,
    },
  }
}

/** A content that hands itself out in chunks of `chunkSize` octets. */
export function contentOf(text: string | Buffer, chunkSize = 64 * 1024): Content {
  const octets = Buffer.from(text as string)
  return {
    size: octets.length,
    async *chunks() {
      for (let at = 0; at < octets.length; at += chunkSize) yield octets.subarray(at, at + chunkSize)
    },
  }
}

export const MAIL = 'From: alice@sender.example\r\nSubject: Test\r\n\r\nHello\r\n'

type Attempt = Partial<DelivererOptions> &
  Readonly<{
    to: string
    recipients?: readonly string[]
    message?: AcceptedMessage
    content?: Content
    headers?: readonly HeaderField[]
    mark?: DotMark
    signal?: AbortSignal
  }>

/** One attempt by a deliverer of its own: the outcomes by recipient. */
export async function deliverOnce({ to, ...attempt }: Attempt): Promise<Map<string, Outcome>> {
  const deliverer = createDeliverer({ hostname: HOSTNAME, ...attempt, routes: [{ domains: ['*'], to }] })
  try {
    return await deliverWith(deliverer, attempt)
  } finally {
    await deliverer.close()
  }
}

export async function deliverWith(
  deliverer: ReturnType<typeof createDeliverer>,
  attempt: Omit<Attempt, 'to'> = {},
): Promise<Map<string, Outcome>> {
  const { recipients = ['bob@example.com'], headers = [], content = contentOf(MAIL), mark, signal } = attempt
  const message = attempt.message ?? acceptedMessage(recipients)
  const outcomes = new Map<string, Outcome>()
  const collect = async (some: Outcome[]) => {
    for (const outcome of some) {
      if (outcomes.has(outcome.recipient)) throw new Error(`${outcome.recipient} has two outcomes`)
      outcomes.set(outcome.recipient, outcome)
    }
  }
  await deliverer.deliver({ message, content, recipients, headers, ...(mark && { mark }) }, collect, signal)
  return outcomes
}

/** `delivered 250 2.0.0 Ok` for each recipient, in order. */
export function told(outcomes: Map<string, Outcome>): string[] {
  return [...outcomes.values()].map(({ kind, reply }) => `${kind}: ${reply}`)
}
