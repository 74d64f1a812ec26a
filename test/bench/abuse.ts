// A flood of abuse on a whole gateway, scanners and all, while honest clients send their mail: what the honest ones wait,
// whether all of their mail arrives, and what memory it takes. Flood and honest clients are processes of their own on
// the same processors. Limits are the defaults but for the connections, so that nobody is spared by being turned away.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { KINDS, TARGET } from './abuse-kinds.ts'
import type { Plan } from './accept.ts'
import { startElemta } from './elemta.ts'
import { type Flood, LOAD_BALANCER } from './flood.ts'
import { HONEST_RECIPIENT, type Honest } from './honest.ts'
import { observe, processorTime, residentBytes } from './machine.ts'
import { freePort, run, temporaryDirectory } from './program.ts'
import { startScanners } from './scanners.ts'
import { markdown } from './table.ts'

const RATE = 200
/** Times the length of the other cases' runs. */
const LONGER = 15
const CLIENTS = 5
const CONNECTIONS = 5000
const TARGET_P99 = 1000
const SAMPLE_INTERVAL = 250
const PATIENCE = 180

export async function measureAbuse({ directory, seconds: unit, say }: Plan) {
  const length = unit * LONGER
  const scanners = await startScanners(directory)
  const place = temporaryDirectory(directory)
  const [submission, submissions] = [await freePort(), await freePort()]
  const users = join(place, 'users')
  writeFileSync(users, '', { mode: 0o600 })
  const maildir = join(place, 'maildir')
  const mode = { kind: 'scan', clamav: scanners.clamd.port, rspamd: scanners.rspamd.port, nextHop: 1 } as const
  const server = await startElemta(
    mode,
    { directory: place },
    {
      listeners: [
        { address: '127.0.0.1', port: submission, mode: 'submission' },
        { address: '127.0.0.1', port: submissions, mode: 'submissions' },
      ],
      auth: { users_file: users },
      limits: { connections: CONNECTIONS, message_size: '5MB' },
      ingress: { proxy_protocol: [LOAD_BALANCER] },
      routes: [{ domains: ['*'], to: `maildir:${maildir}` }],
      plugins: [{ name: 'recipients', config: { addresses: [TARGET, HONEST_RECIPIENT] } }],
    },
  )
  try {
    const quiet = await honestly(server.port, 5)
    const idle = residentBytes(server.pids)
    say(`honest p99 without a flood: ${quantile(quiet, 0.99).toFixed(1)} ms; now ${RATE} connections a second of abuse`)
    const cpu = processorTime(server.pids)
    const memory = watchMemory(server.pids)
    const ports = JSON.stringify({ mx: server.port, submission, submissions })
    const { result, seconds } = await observe(() =>
      Promise.all([honestly(server.port, length), program<Flood>('flood.ts', [ports, String(RATE), String(length)])]),
    )
    const [honest, flood] = result
    const peaks = memory.stop()
    const cores = (processorTime(server.pids) - cpu) / seconds
    const lost = await missing(maildir, [...quiet.accepted, ...honest.accepted])
    await sleep(15_000) // what still lingers is gone
    const after = residentBytes(server.pids)
    return report({ length, quiet, honest, flood, idle, ...peaks, after, cores, lost })
  } finally {
    await server.stop()
    await scanners.stop()
  }
}

function honestly(port: number, seconds: number): Promise<Honest> {
  return program<Honest>('honest.ts', [port, CLIENTS, seconds].map(String))
}

async function program<T>(name: string, args: readonly string[]): Promise<T> {
  return JSON.parse(await run(process.execPath, [join(import.meta.dirname, name), ...args])) as T
}

/** The highest resident size in each half of the time: one that goes on growing shows. */
function watchMemory(pids: readonly number[]) {
  const samples: number[] = []
  const timer = setInterval(() => samples.push(residentBytes(pids)), SAMPLE_INTERVAL)
  return {
    stop() {
      clearInterval(timer)
      const half = samples.length >> 1
      return { firstHalf: Math.max(...samples.slice(0, half)), secondHalf: Math.max(...samples.slice(half)) }
    },
  }
}

/** Waits until all of these were delivered; how many never were. */
async function missing(maildir: string, subjects: readonly string[]): Promise<number> {
  const wanted = new Set(subjects)
  const seen = new Set<string>()
  const giveUp = Date.now() + PATIENCE * 1000
  while (wanted.size > 0 && Date.now() < giveUp) {
    for (const name of readdirSync(join(maildir, 'new'))) {
      if (seen.has(name)) continue
      seen.add(name)
      const subject = /^Subject: (honest \d+ \d+)\r?$/m.exec(readFileSync(join(maildir, 'new', name), 'latin1'))?.[1]
      if (subject !== undefined) wanted.delete(subject)
    }
    await sleep(500)
  }
  return wanted.size
}

const quantile = ({ replies }: Honest, q: number) =>
  replies[Math.min(replies.length - 1, Math.floor(replies.length * q))]!

type Figures = Readonly<{
  /** Seconds. */
  length: number
  quiet: Honest
  honest: Honest
  flood: Flood
  idle: number
  firstHalf: number
  secondHalf: number
  after: number
  cores: number
  lost: number
}>

function report({ length, quiet, honest, flood, idle, firstHalf, secondHalf, after, cores, lost }: Figures) {
  const milliseconds = (of: Honest, q: number) => `${quantile(of, q).toFixed(1)} ms`
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`
  const verdict = (reached: boolean) => (reached ? 'reached' : 'missed')
  const p99 = quantile(honest, 0.99)
  const rows = [
    ['honest reply, p50 / p99 / longest, no flood', [0.5, 0.99, 1].map(q => milliseconds(quiet, q)).join(' / '), ''],
    [
      'honest reply, p50 / p99 / longest, in the flood',
      [0.5, 0.99, 1].map(q => milliseconds(honest, q)).join(' / '),
      `p99 < 1 s: ${verdict(p99 < TARGET_P99)}`,
    ],
    ['honest messages accepted', String(honest.accepted.length), ''],
    ['of them put off or cut off before', String(honest.again.length), ''],
    ['of them not delivered', String(lost), `0: ${verdict(lost === 0)}`],
    ['connections of the flood', `${flood.connections}, ${flood.failed} not had`, ''],
    ['open at once, at most', String(flood.mostOpen), ''],
    ['cores used by the gateway', cores.toFixed(2), ''],
    ['resident before', megabytes(idle), ''],
    ['resident at most, first and second half', `${megabytes(firstHalf)}, ${megabytes(secondHalf)}`, ''],
    ['resident 15 s after', megabytes(after), ''],
  ]
  const title = `### ${RATE} connections a second of ${KINDS.length} kinds of abuse, ${length} s, ${CLIENTS} honest clients`
  const kinds = `The kinds: ${KINDS.map(({ name }) => name).join(', ')}.`
  const figures = {
    p99,
    lost,
    flood,
    idle,
    firstHalf,
    secondHalf,
    after,
    cores,
    accepted: honest.accepted.length,
    again: honest.again,
    longest: honest.longest,
  }
  return { markdown: [title, '', ...markdown(['', 'measured', 'target'], rows), '', kinds, ''].join('\n'), figures }
}
