// What memory mail costs: the heap while 25 MB messages are taken, scanned and delivered, and the resident size of
// 2,000 sessions that do nothing, with TLS and without. Heap figures come from the product's own /metrics, asked all the time; the resident
// size from the kernel. Garbage that waits for its collection counts: the figures are what an operator would see.
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Plan } from './accept.ts'
import { type Elemta, startElemta } from './elemta.ts'
import { residentBytes } from './machine.ts'
import { run, temporaryDirectory } from './program.ts'
import { startScanners } from './scanners.ts'
import { type Sink, startSink } from './sink.ts'
import { markdown } from './table.ts'
import { startTalk, type Talk } from './talk.ts'

const LARGE = 25_000_000
const IDLE_SESSIONS = 2000
/** At the same time in their handshake: the setting up of many is not what is measured. */
const HANDSHAKES = 20
const HEAP = 'nodejs_heap_size_used_bytes'
const SAMPLE_INTERVAL = 50
const IDLE_TIME = 2000
const PATIENCE = 60

type Transfer = Readonly<{ sessions: number; messages: number }>
const TRANSFERS: readonly Transfer[] = [
  { sessions: 1, messages: 2 },
  { sessions: 4, messages: 8 },
]

type Figure = Readonly<{ what: string; bytes: number; perSession?: number; perMessage?: number; target?: number }>

const MOST_PER_SESSION = 40_000

export async function measureMemory(plan: Plan) {
  const scanners = await startScanners(plan.directory)
  const sink = await startSink(plan.directory)
  const directory = temporaryDirectory(plan.directory)
  const mode = { kind: 'scan', clamav: scanners.clamd.port, rspamd: scanners.rspamd.port, nextHop: sink.port } as const
  const server = await startElemta(mode, { directory })
  try {
    const idle = [...(await idleSessions(plan, false)), ...(await idleSessions(plan, true))]
    const figures = [...idle, ...(await largeMessages(server, sink, plan))]
    return { markdown: table(figures), figures }
  } finally {
    await server.stop()
    await sink.stop()
    await scanners.stop()
  }
}

/** A new process for each kind: what the sessions before left behind would be used again, and not counted. */
async function idleSessions(plan: Plan, secure: boolean): Promise<Figure[]> {
  const server = await startElemta({ kind: 'accept' }, { directory: temporaryDirectory(plan.directory) })
  const talks: Talk[] = []
  try {
    // A server in service: its code is loaded, and the heap has its room for what is soon forgotten.
    await openMany(async () => (await idleSession(server.port, secure)).close())
    await sleep(IDLE_TIME)
    const before = residentBytes(server.pids)
    await openMany(async () => talks.push(await idleSession(server.port, secure)))
    await sleep(IDLE_TIME)
    const bytes = residentBytes(server.pids) - before
    const what = `${IDLE_SESSIONS} idle sessions${secure ? ' with TLS' : ''}, resident above it`
    return [
      ...(secure ? [] : [{ what: 'resident, idle ingress', bytes: before }]),
      { what, bytes, perSession: bytes / IDLE_SESSIONS },
    ]
  } finally {
    for (const talk of talks) talk.close()
    await server.stop()
  }
}

async function openMany(open: () => Promise<unknown>): Promise<void> {
  const remaining = Array.from({ length: IDLE_SESSIONS }).keys()
  await Promise.all(
    Array.from({ length: HANDSHAKES }, async () => {
      for (const _ of remaining) await open()
    }),
  )
}

async function idleSession(port: number, secure: boolean): Promise<Talk> {
  const talk = await startTalk(port)
  await talk.reply()
  await talk.ask('EHLO client.example.org')
  if (!secure) return talk
  await talk.ask('STARTTLS')
  if (!(await talk.startTls())) throw new Error('the handshake failed')
  await talk.ask('EHLO client.example.org')
  return talk
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
    peak = { heap: Math.max(peak.heap, heap), resident: Math.max(peak.resident, residentBytes(server.pids)) }
    await sleep(SAMPLE_INTERVAL)
  }
  await done
  return peak
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1)

function table(figures: readonly Figure[]): string {
  const verdict = (most: number, bytes: number) => `≤ ${megabytes(most)}: ${bytes <= most ? 'reached' : 'missed'}`
  const rows = figures.map(({ what, bytes, perSession, perMessage, target }) => [
    what,
    megabytes(bytes),
    perSession === undefined ? '' : (perSession / 1000).toFixed(1),
    perMessage === undefined ? '' : megabytes(perMessage),
    perSession === undefined
      ? target === undefined
        ? ''
        : verdict(target, perMessage ?? bytes)
      : `≤ ${MOST_PER_SESSION / 1000} KB: ${perSession <= MOST_PER_SESSION ? 'reached' : 'missed'}`,
  ])
  const lines = markdown(['', 'MB', 'KB per session', 'MB per message', 'target'], rows)
  return ['### Memory', '', ...lines, ''].join('\n')
}
