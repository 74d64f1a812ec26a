// How fast messages are accepted durably: 250 only after the message is on the disk. Load from smtp-source, 5 KB.
// Each round starts every server anew in an empty directory, in an order that turns round every time.
import { rmSync } from 'node:fs'
import { observe, processorTime, untilQuiet } from './machine.ts'
import { run, temporaryDirectory } from './program.ts'
import type { Comparison, Sample, Target } from './samples.ts'
import type { Place, Server } from './server.ts'
import type { SyncShim } from './slow-sync.ts'
import { type Batch, sendBySource } from './source.ts'

export type Contender = Readonly<{ name: string; start(place: Place): Promise<Server> }>

export type Plan = Readonly<{
  directory: string
  rounds: number
  /** Length of a measured run, about. */
  seconds: number
  /** How long to wait for others to be quiet before a run, seconds. */
  patience: number
  shim: SyncShim | undefined
  say(text: string): void
}>

export type Variant = Readonly<{
  title: string
  reuse: boolean
  sessions: number
  targets: readonly Target[]
  /** Messages when absent. */
  unit?: string
  /** By smtp-source when absent. */
  send?: (batch: Batch) => Promise<void>
}>

const SIZE = 5 * 1024
const WARM_UP_MESSAGES = 500
const WARM_UP_SECONDS = 3

export const FAST_DISK: readonly Variant[] = [
  {
    title: 'Durable accept, many messages on a connection (5 KB, 20 sessions)',
    reuse: true,
    sessions: 20,
    targets: [
      { anchor: 'Postfix', atLeast: 3 },
      { anchor: 'Haraka', atLeast: 5 },
    ],
  },
  {
    title: 'Durable accept, a connection for each message (5 KB, 20 sessions)',
    reuse: false,
    sessions: 20,
    targets: [{ anchor: 'Postfix', atLeast: 1.5 }],
  },
]

export const SLOW_DISK: readonly Variant[] = [
  {
    title: 'Durable accept, every sync 2 ms slower, a connection for each message (5 KB, 100 sessions)',
    reuse: false,
    sessions: 100,
    targets: [{ anchor: 'Postfix', atLeast: 1.8 }],
  },
]

/** Measures every contender in every variant; `syncDelay` in microseconds needs the shim. */
export async function compareAccept(
  plan: Plan,
  contenders: readonly Contender[],
  variants: readonly Variant[],
  syncDelay = 0,
): Promise<Comparison[]> {
  const comparisons: Comparison[] = []
  for (const variant of variants) {
    const samples: Sample[] = []
    for (let round = 1; round <= plan.rounds; round++) {
      for (const contender of round % 2 === 1 ? contenders : contenders.toReversed()) {
        const directory = temporaryDirectory(plan.directory)
        const server = await contender.start({ directory, environment: plan.shim?.environment(syncDelay) ?? {} })
        const sample = { ...(await measure(plan, server, variant)), server: contender.name, round }
        samples.push(sample)
        plan.say(`round ${round} ${contender.name}: ${sample.rate.toFixed(0)}/s, ${variant.title}`)
        await server.stop()
        rmSync(directory, { recursive: true })
        await run('sync', []) // what this server left to write must not slow the next
      }
    }
    const { title, targets, unit } = variant
    comparisons.push({ title, targets, samples, notes: [], ...(unit !== undefined && { unit }) })
  }
  return comparisons
}

async function measure(plan: Plan, server: Server, variant: Variant): Promise<Omit<Sample, 'server' | 'round'>> {
  const { reuse, sessions, send = sendBySource } = variant
  const batch = (messages: number): Batch => ({ reuse, sessions, port: server.port, size: SIZE, messages })
  const rate = await warmUp(batch(WARM_UP_MESSAGES), send)
  const messages = Math.max(WARM_UP_MESSAGES, Math.round(rate * plan.seconds))
  await untilQuiet(plan.patience)
  const [cpu, syncs] = [processorTime(server.pids), plan.shim?.count()]
  const { seconds, othersCores, disturbed } = await observe(() => send(batch(messages)))
  return {
    rate: messages / seconds,
    cpu: ((processorTime(server.pids) - cpu) / messages) * 1e6,
    ...(syncs === undefined ? {} : { syncs: (plan.shim!.count() - syncs) / messages }),
    othersCores,
    disturbed,
  }
}

/** Batches until the server has seen a second of load; returns the rate of the last one. */
async function warmUp(batch: Batch, send: (batch: Batch) => Promise<void>): Promise<number> {
  const started = performance.now()
  let rate = 0
  while (performance.now() - started < WARM_UP_SECONDS * 1000) {
    const { seconds } = await observe(() => send(batch))
    rate = batch.messages / seconds
  }
  return rate
}
