// Mail for crashes: every try is told apart by its Message-ID, with what the gateway said to it, and compared octet by
// octet with what arrived at the next hop. Which mail is made follows from a seed alone.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Received } from '../deliver/next-hop.ts'
import { greeted } from '../ingress/dialogue.ts'
import { sendOn } from './mail.ts'

/** `unknown`: the connection ended first; whether it was taken is not for the sender to know. */
export type Answer = 'acknowledged' | 'refused' | 'unknown'

export type Try = { content: string; recipients: readonly string[]; answer: Answer; queueId: string }

/** In recipients lost, refused and delivered; in messages of the next hop the rest. */
export type Comparison = Readonly<{
  lost: number
  refusedButDelivered: number
  corrupt: number
  /** Copies beyond the first. */
  doubles: number
}>

const CONNECTIONS = 4
const SIZES = [500, 1000, 5000, 5000, 5000, 20_000, 75_000, 150_000]
/** More than any message may have. */
const TOO_MANY_HOPS = 200
const MESSAGE_ID = /^Message-ID: <(\d+)@crash\.example>\r$/m

/** Numbers from 0 up to 1 that follow from the seed: mulberry32. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export type Stream = Readonly<{
  random: () => number
  enough: () => boolean
  signal: AbortSignal
  /** Messages a second, about, at random distances; as many as are taken unless given. */
  rate?: number | undefined
}>

/** Keeps some connections busy with mail until `enough`, or the signal, says stop; begins anew on those that are closed. */
export async function streamMail(port: number, tries: Try[], { random, enough, signal, rate }: Stream): Promise<void> {
  async function connection(): Promise<void> {
    const client = await greeted(port)
    try {
      while (!enough() && !signal.aborted) {
        if (rate !== undefined) await sleep((random() * 2 * CONNECTIONS * 1000) / rate)
        if (signal.aborted) return
        const attempt = makeTry(tries.length, random)
        tries.push(attempt)
        const { code, queueId } = await sendOn(client, { content: attempt.content, to: attempt.recipients })
        attempt.answer = code === 250 ? 'acknowledged' : 'refused'
        attempt.queueId = queueId
      }
    } finally {
      client.hangUp()
    }
  }
  async function connections(): Promise<void> {
    while (!enough() && !signal.aborted) await connection().catch(() => sleep(5))
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, connections))
}

/** One of twenty is refused behind its dot: it runs in a loop. One of ten is for three recipients. */
function makeTry(number: number, random: () => number): Try {
  const size = SIZES[Math.floor(random() * SIZES.length)]!
  const hops = random() < 0.05 ? TOO_MANY_HOPS : 1
  const names = random() < 0.1 ? ['a', 'b', 'c'] : ['a']
  let body = ''
  while (body.length < size) body += `${'.'.repeat(random() * 2)}${random().toString(36).repeat(4)}\r\n`
  const content = [
    ...Array.from({ length: hops }, (_, n) => `Received: from hop${n}.example by hop${n + 1}.example; now`),
    'From: alice@sender.example',
    `Message-ID: <${number}@crash.example>`,
    '',
    body,
  ].join('\r\n')
  return { content, recipients: names.map(name => `${name}@example.com`), answer: 'unknown', queueId: '' }
}

/** What arrived beside what was sent. */
export function compare(tries: readonly Try[], arrived: readonly Received[]): Comparison {
  let corrupt = 0
  const copies = new Map<Try, Map<string, number>>()
  for (const { content, recipients } of arrived) {
    const sent = tries[numberOf(content)]
    if (sent === undefined || !content.toString('latin1').endsWith(sent.content)) {
      corrupt++
      continue
    }
    const counts = copies.get(sent) ?? new Map<string, number>()
    copies.set(sent, counts)
    for (const recipient of recipients) counts.set(recipient, (counts.get(recipient) ?? 0) + 1)
  }
  const copiesOf = (sent: Try, recipient: string) => copies.get(sent)?.get(`RCPT TO:<${recipient}>`) ?? 0
  const recipientsOf = (answer: Answer) =>
    tries.filter(sent => sent.answer === answer).flatMap(sent => sent.recipients.map(one => copiesOf(sent, one)))
  return {
    lost: recipientsOf('acknowledged').filter(count => count === 0).length,
    refusedButDelivered: recipientsOf('refused').filter(count => count > 0).length,
    corrupt,
    doubles: [...copies.values()].reduce((sum, counts) => sum + Math.max(...counts.values()) - 1, 0),
  }
}

/** Of the try that this is a copy of; -1 where it is none. */
function numberOf(content: Buffer): number {
  return Number(MESSAGE_ID.exec(content.toString('latin1'))?.[1] ?? -1)
}
