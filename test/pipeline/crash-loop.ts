// The crash loop: a whole gateway takes mail and delivers it to a next hop that keeps everything, and is killed with
// SIGKILL again and again while it does both. Then everything is compared. When it dies follows from a seed and from how
// much it has done, so that slow and fast machines kill it at work.
import { setTimeout as sleep } from 'node:timers/promises'
import { startNextHop } from '../deliver/next-hop.ts'
import { type Comparison, compare, randomFrom, streamMail, type Try } from './crash-mail.ts'
import { type Gateway, startGateway } from './gateway.ts'

export type CrashLoop = Readonly<{
  /** To be acknowledged. */
  messages: number
  kills: number
  seed: number
  /** Offered, messages a second; as many as are taken unless given. */
  rate?: number
  /** Of the gateway; to be removed by the caller. */
  directory: string
}>

export type CrashResult = Comparison &
  Readonly<{
    kills: number
    acknowledged: number
    refused: number
    unknown: number
    /** Messages whose delivery was told as in doubt, once for each crash. */
    inDoubt: number
    /** Recipients whose jobs met too many crashes: put back at the end, as an operator would. */
    deadLetters: number
    /** Recipients that were never delivered although they are in the spool; and what the ledger cannot account for. */
    undelivered: number
    imbalance: number
  }>

/** Milliseconds behind the message at which it is to die, at most; with a rate: until the next one. */
const LATEST = 20
/** Milliseconds without progress after which what is left counts as undelivered. */
const PATIENCE = 15_000

export async function runCrashLoop({ messages, kills, seed, rate, directory }: CrashLoop): Promise<CrashResult> {
  const random = randomFrom(seed)
  const nextHop = await startNextHop()
  const config = { routes: [{ domains: ['*'], to: nextHop.url }], delivery: { retry_schedule: ['1s'] } }
  const tries: Try[] = []
  const acknowledged = () => tries.filter(({ answer }) => answer === 'acknowledged').length
  const enough = () => acknowledged() >= messages
  let inDoubt = 0
  const countDoubts = (gateway: Gateway) => {
    inDoubt += new Set(gateway.logged('delivery-in-doubt').map(({ queueId }) => queueId)).size
  }

  try {
    for (let kill = 0; kill < kills; kill++) {
      const gateway = await startGateway({ directory, config })
      const from = acknowledged()
      const share = (messages - from) / (kills - kill + 1)
      const until = from + share * 2 * random()
      const killed = new AbortController()
      const stream = streamMail(gateway.port, tries, { random, enough, rate, signal: killed.signal })
      while (acknowledged() < until) await sleep(1)
      await sleep(random() * (rate === undefined ? LATEST : 1000 / rate))
      const ended = gateway.stop('SIGKILL')
      killed.abort()
      await Promise.all([ended, stream])
      countDoubts(gateway)
    }

    const gateway = await startGateway({ directory, config })
    await streamMail(gateway.port, tries, { random, enough, signal: new AbortController().signal })
    await untilIdle(gateway)
    const deadLetters = (await gateway.ledger()).queued.deadLetters
    if (deadLetters > 0) await gateway.elemta('dlq', 'replay', 'ALL', '--yes')
    await untilIdle(gateway)
    await gateway.stop()
    countDoubts(gateway)
    const { accepted, delivered, imbalance } = await gateway.ledger()
    const answered = (answer: Try['answer']) => tries.filter(one => one.answer === answer).length
    return {
      ...compare(tries, nextHop.messages),
      kills,
      acknowledged: answered('acknowledged'),
      refused: answered('refused'),
      unknown: answered('unknown'),
      inDoubt,
      deadLetters,
      undelivered: accepted - delivered,
      imbalance,
    }
  } finally {
    await nextHop.close()
  }
}

/** Resolves when everything is delivered or a dead letter, or nothing moves any more. */
export async function untilIdle(gateway: Gateway): Promise<void> {
  let seen = -1
  let since = performance.now()
  for (;;) {
    const { accepted, delivered, queued } = await gateway.ledger()
    if (accepted === delivered + queued.deadLetters) return
    if (delivered > seen) since = performance.now()
    else if (performance.now() - since > PATIENCE) return
    seen = delivered
    await sleep(20)
  }
}
