// What memory mail costs: the heap while 25 MB messages are taken, scanned and delivered, and the resident size of
// 1,000 sessions that do nothing. Heap figures come from the product's own /metrics, asked all the time; the resident
// size from the kernel. Garbage that waits for its collection counts: the figures are what an operator would see.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Plan } from './accept.ts'
import { type Elemta, startElemta } from './elemta.ts'
import { run, temporaryDirectory } from './program.ts'
import { startScanners } from './scanners.ts'
import { type Sink, startSink } from './sink.ts'
import { markdown } from './table.ts'

const LARGE = 25_000_000
const IDLE_SESSIONS = 1000
const HEAP = 'nodejs_heap_size_used_bytes'
const SAMPLE_INTERVAL = 50
const IDLE_TIME = 2000
const PATIENCE = 60

type Transfer = Readonly<{ sessions: number; messages: number }>
const TRANSFERS: readonly Transfer[] = [
  { sessions: 1, messages: 2 },
  { sessions: 4, messages: 8 },
]

type Figure = Readonly<{ what: string; bytes: number; perMessage?: number; target?: number }>

export async function measureMemory(plan: Plan) {
  const scanners = await startScanners(plan.directory)
  const sink = await startSink(plan.directory)
  const directory = temporaryDirectory(plan.directory)
  const mode = { kind: 'scan', clamav: scanners.clamd.port, rspamd: scanners.rspamd.port, nextHop: sink.port } as const
  const server = await startElemta(mode, { directory })
  try {
    const figures = [...(await idleSessions(server)), ...(await largeMessages(server, sink, plan))]
    return { markdown: table(figures), figures }
  } finally {
    await server.stop()
    await sink.stop()
    await scanners.stop()
  }
}

async function idleSessions(server: Elemta): Promise<Figure[]> {
  const before = residentBytes(server)
  const sockets: Socket[] = []
  for (let number = 0; number < IDLE_SESSIONS; number++) {
    const socket = connect(server.port, '127.0.0.1')
    sockets.push(socket)
    await once(socket, 'data')
    socket.write('EHLO client.example.org\r\n')
    await once(socket, 'data')
  }
  const after = residentBytes(server)
  for (const socket of sockets) socket.destroy()
  return [
    { what: 'resident, idle process', bytes: before },
    { what: `${IDLE_SESSIONS} idle sessions, resident above it`, bytes: after - before, target: 100e6 },
  ]
}

async function largeMessages(server: Elemta, sink: Sink, plan: Plan): Promise<Figure[]> {
  // The first message loads code and fills caches: not part of what the next one costs.
  await transfer(server, sink, { sessions: 1, messages: 1 })
  const idle = await peakDuring(server, () => sleep(IDLE_TIME))
  const figures: Figure[] = [{ what: 'heap, idle process', bytes: idle.heap }]
  for (const { sessions, messages } of TRANSFERS) {
    const peak = await peakDuring(server, () => transfer(server, sink, { sessions, messages }))
    plan.say(
      `25 MB at ${sessions} session(s): heap ${megabytes(peak.heap)} MB, resident ${megabytes(peak.resident)} MB`,
    )
    const cost = peak.heap - idle.heap
    const what = `25 MB at ${sessions} session${sessions > 1 ? 's' : ''}`
    figures.push({ what: `${what}, heap above it`, bytes: cost, perMessage: cost / sessions, target: 8e6 })
    figures.push({ what: `${what}, resident, all in all`, bytes: peak.resident })
  }
  return figures
}

async function transfer(server: Elemta, sink: Sink, { sessions, messages }: Transfer): Promise<void> {
  const before = sink.received()
  const args = [server.port, sessions, messages, LARGE, before + 1].map(String)
  await run(process.execPath, [join(import.meta.dirname, 'load.ts'), ...args])
  await sink.until(before + messages, PATIENCE)
}

type Peak = Readonly<{ heap: number; resident: number }>

/** The highest values seen while `work` runs. */
async function peakDuring(server: Elemta, work: () => Promise<unknown>): Promise<Peak> {
  let peak: Peak = { heap: 0, resident: 0 }
  let working = true
  const done = work().finally(() => (working = false))
  done.catch(() => {}) // thrown below, once the sample in hand is taken
  while (working) {
    const heap = await server.metric(HEAP)
    peak = { heap: Math.max(peak.heap, heap), resident: Math.max(peak.resident, residentBytes(server)) }
    await sleep(SAMPLE_INTERVAL)
  }
  await done
  return peak
}

function residentBytes({ pids }: Elemta): number {
  const kilobytes = pids.map(pid => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]))
  return 1024 * kilobytes.reduce((all, next) => all + next, 0)
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1)

function table(figures: readonly Figure[]): string {
  const rows = figures.map(({ what, bytes, perMessage, target }) => [
    what,
    megabytes(bytes),
    perMessage === undefined ? '' : megabytes(perMessage),
    target === undefined ? '' : `≤ ${megabytes(target)}: ${(perMessage ?? bytes) <= target ? 'reached' : 'missed'}`,
  ])
  const lines = markdown(['', 'MB', 'MB per message', 'target'], rows)
  return ['### Memory, all stages in one process', '', ...lines, ''].join('\n')
}
