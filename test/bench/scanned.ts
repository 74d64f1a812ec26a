// The whole way, scanned: accepted, asked about by rspamd and clamd, delivered to smtp-sink. Every message is different.
// The rate is of a closed batch: from the first connection to the moment at which the sink has the last message.
// "driven directly" is what the same two scanners reach when nothing but a bare script asks them: the ceiling.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Plan } from './accept.ts'
import { startElemta } from './elemta.ts'
import type { LoadResult } from './load.ts'
import { cores, observe, processorTime, untilQuiet } from './machine.ts'
import { startPostfix } from './postfix.ts'
import { run, temporaryDirectory } from './program.ts'
import type { Comparison, Sample } from './samples.ts'
import { type Scanners, startScanners } from './scanners.ts'
import type { Place, Server } from './server.ts'
import { type Sink, startSink } from './sink.ts'

const SIZE = 5 * 1024
const SESSIONS = 20
const WARM_UP_MESSAGES = 1000
/** For the length of a run: what the scanners of one core reach, about. */
const EXPECTED_RATE_PER_CORE = 120
/** Questions at once when driven directly; more than four per core only makes answers later. */
const DRIVEN_AT_ONCE = 4 * cores
const DIRECT = 'scanners driven directly'

type Way = Readonly<{
  name: string
  /** Sends a batch and resolves when its last message has arrived: seconds, and the latencies of the load. */
  batch(messages: number, seed: number): Promise<Readonly<{ seconds: number; load: LoadResult }>>
  pids: readonly number[]
  stop(): Promise<void>
}>

export async function compareScanned(plan: Plan & Readonly<{ servers: readonly string[] }>): Promise<Comparison> {
  const scanners = await startScanners(plan.directory)
  const sink = await startSink(plan.directory)
  const samples: Sample[] = []
  try {
    for (let round = 1; round <= plan.rounds; round++) {
      const ways = [...(plan.servers.includes('elemta') ? [elemta] : []), postfix, direct]
      for (const begin of round % 2 === 1 ? ways : ways.toReversed()) {
        const directory = temporaryDirectory(plan.directory)
        const way = await begin({ directory, environment: plan.shim?.environment(0) ?? {} }, scanners, sink)
        const sample = await measure(plan, way, round)
        samples.push(sample)
        plan.say(`round ${round} ${way.name}: ${sample.rate.toFixed(0)}/s delivered`)
        await way.stop()
        rmSync(directory, { recursive: true })
      }
    }
  } finally {
    await sink.stop()
    await scanners.stop()
  }
  return {
    title: 'Scanned end to end, delivered at the sink (5 KB, all different, 20 sessions)',
    targets: [
      { anchor: 'Postfix', atLeast: 1.25 },
      { anchor: DIRECT, atLeast: 0.9 },
    ],
    samples,
    notes: ['CPU per message includes rspamd and clamd; latency is connect to 250 (driven directly: both answers).'],
  }
}

async function elemta({ directory, environment = {} }: Place, scanners: Scanners, sink: Sink): Promise<Way> {
  const { clamd, rspamd } = scanners
  const mode = { kind: 'scan', clamav: clamd.port, rspamd: rspamd.port, nextHop: sink.port } as const
  return gateway(await startElemta(mode, { directory, environment }), [clamd.pid, rspamd.pid], sink)
}

async function postfix({ directory, environment = {} }: Place, { milter, clamd }: Scanners, sink: Sink): Promise<Way> {
  const mode = { kind: 'scan', milter: milter.socket, nextHop: sink.port } as const
  return gateway(await startPostfix(mode, { directory, environment }), [clamd.pid, milter.pid], sink)
}

async function direct(_place: Place, { clamd, rspamd }: Scanners): Promise<Way> {
  return {
    name: DIRECT,
    pids: [clamd.pid, rspamd.pid],
    async batch(messages, seed) {
      const load = await program('drive.ts', [clamd.port, rspamd.port, DRIVEN_AT_ONCE, messages, SIZE, seed])
      return { seconds: load.seconds, load }
    },
    stop: async () => {},
  }
}

function gateway(server: Server, scannerPids: readonly number[], sink: Sink): Way {
  return {
    name: server.name,
    pids: [...server.pids, ...scannerPids],
    async batch(messages, seed) {
      const before = sink.received()
      const load = await program('load.ts', [server.port, SESSIONS, messages, SIZE, seed])
      await sink.until(before + messages)
      return { seconds: (Date.now() - load.startedAt) / 1000, load }
    },
    stop: server.stop,
  }
}

/** Never the same messages twice in front of the same clamd: it remembers what was clean. */
let seed = 0

async function measure(plan: Plan, way: Way, round: number): Promise<Sample> {
  const messages = Math.round(plan.seconds * EXPECTED_RATE_PER_CORE * cores)
  await way.batch(WARM_UP_MESSAGES, ++seed)
  await untilQuiet(plan.patience)
  const [cpu, syncs] = [processorTime(way.pids), plan.shim?.count()]
  const { result, othersCores, disturbed } = await observe(() => way.batch(messages, ++seed))
  return {
    server: way.name,
    round,
    rate: messages / result.seconds,
    cpu: ((processorTime(way.pids) - cpu) / messages) * 1e6,
    ...(syncs === undefined ? {} : { syncs: (plan.shim!.count() - syncs) / messages }),
    p50: result.load.p50,
    p99: result.load.p99,
    othersCores,
    disturbed,
  }
}

async function program(name: string, args: readonly number[]): Promise<LoadResult> {
  return JSON.parse(await run(process.execPath, [join(import.meta.dirname, name), ...args.map(String)]))
}
