// How fast messages go to a next hop that takes everything (Debian's smtp-sink): 5 KB, 20 connections, many messages on
// each. Postfix has them in its queue, on hold, and is timed from their release; Elemta's client has them in memory, so
// this compares the ways to speak to a next hop and what Postfix puts around it, not two queues.
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Plan } from './accept.ts'
import type { HandedOver } from './hand-over.ts'
import { observe, processorTime, untilQuiet } from './machine.ts'
import { startPostfix } from './postfix.ts'
import { run, temporaryDirectory } from './program.ts'
import { type Comparison, type Sample, SUBJECT } from './samples.ts'
import { type Sink, startSink } from './sink.ts'

const SIZE = 5 * 1024
const CONNECTIONS = 20
const MESSAGES = { elemta: 10_000, postfix: 2000 } as const

type Measured = Omit<Sample, 'server' | 'round'>

/** Both, in turn, so many rounds. */
export async function compareDeliver(plan: Plan): Promise<Comparison> {
  const samples: Sample[] = []
  const contenders = [
    { server: SUBJECT, measure: measureElemta },
    { server: 'Postfix', measure: measurePostfix },
  ]
  for (let round = 1; round <= plan.rounds; round++) {
    for (const { server, measure } of round % 2 === 1 ? contenders : contenders.toReversed()) {
      const sink = await startSink(plan.directory)
      try {
        const sample = await measure(plan, sink)
        samples.push({ ...sample, server, round })
        plan.say(`round ${round} ${server}: ${sample.rate.toFixed(0)}/s to the next hop`)
      } finally {
        await sink.stop()
      }
    }
  }
  return {
    title: 'Delivery to a next hop, many messages on a connection (5 KB, 20 connections)',
    targets: [{ anchor: 'Postfix', atLeast: 3 }],
    samples,
    notes: ['Postfix: held mail from its release on, its queue manager included; Elemta: its client, from memory.'],
  }
}

async function handOver(port: number, messages: number): Promise<HandedOver> {
  const script = join(import.meta.dirname, 'hand-over.ts')
  return JSON.parse(await run(process.execPath, [script, ...[port, CONNECTIONS, messages, SIZE].map(String)]))
}

async function measureElemta({ patience }: Plan, sink: Sink): Promise<Measured> {
  const messages = MESSAGES.elemta
  await untilQuiet(patience)
  const { result, othersCores, disturbed } = await observe(() => handOver(sink.port, messages))
  return { rate: messages / result.seconds, cpu: (result.processorSeconds / messages) * 1e6, othersCores, disturbed }
}

async function measurePostfix({ directory, patience }: Plan, sink: Sink): Promise<Measured> {
  const place = temporaryDirectory(directory)
  const settings = `relayhost = [127.0.0.1]:${sink.port}
smtp_tls_security_level = none
default_destination_concurrency_limit = ${CONNECTIONS}
initial_destination_concurrency = ${CONNECTIONS}
smtp_connection_cache_on_demand = yes
`
  const server = await startPostfix({ kind: 'hold', settings }, { directory: place })
  try {
    const messages = MESSAGES.postfix
    const config = join(place, readdirSync(place)[0]!, 'config')
    await handOver(server.port, messages)
    await untilQuiet(patience)
    const before = processorTime(server.pids)
    const { seconds, othersCores, disturbed } = await observe(async () => {
      await run('postsuper', ['-c', config, '-H', 'ALL'])
      await run('postqueue', ['-c', config, '-f'])
      await sink.until(messages)
    })
    const cpu = ((processorTime(server.pids) - before) / messages) * 1e6
    return { rate: messages / seconds, cpu, othersCores, disturbed }
  } finally {
    await server.stop()
    rmSync(place, { recursive: true, force: true })
  }
}
