// What a million messages that wait cost: the start, the operator's lists, a scrape, the processor time and memory of a
// gateway that has nothing to do, and of one with ten messages due each second. Beside the same gateway without mail.
// Only the ingress runs, so what comes due goes to its queue and stays there: delivering is not measured.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { openEmbedded } from '../../src/backends.ts'
import { mintQueueId } from '../../src/mail/queue-id.ts'
import type { Plan } from './accept.ts'
import { type Elemta, startElemta } from './elemta.ts'
import { observe, processorTime, residentBytes } from './machine.ts'
import { run, temporaryDirectory } from './program.ts'
import { markdown } from './table.ts'

const COUNT = 1_000_000
/** Half of them are for one dead domain, the rest for these. */
const DOMAINS = 10_000
const DEAD = 'dead.example'
const CONTENT = 2000
const HOUR = 3_600_000
/** Seconds: long enough for the work of every minute. */
const WINDOW = 60
const SCRAPE_EVERY = 15
const DUE_PER_SECOND = 10
/** Before anything is measured, what a start leaves to be done. */
const SETTLE = 10_000

const PROGRAM = join(import.meta.dirname, '../../bin/elemta.ts')
const MB = 1e6

type Figures = Readonly<Record<string, number>>

export async function measureDeferred({ directory, say }: Plan) {
  const [empty, full] = [temporaryDirectory(directory), temporaryDirectory(directory)]
  for (const dataDir of [empty, full]) await (await openEmbedded({ dataDir, now: Date.now })).close()
  say(`filling in ${COUNT} messages`)
  const jobs = fill(join(full, 'elemta.sqlite'))
  const without = await measure(empty, [], { directory, say })
  const withThem = await measure(full, jobs, { directory, say })
  return { markdown: table(without, withThem), figures: { without, with: withThem } }
}

/** Straight into the file, as deferrals leave it. Returns the ids of some jobs. */
function fill(path: string): string[] {
  const db = new DatabaseSync(path)
  db.exec('PRAGMA synchronous = OFF; PRAGMA cache_size = -500000; BEGIN')
  const content = db.prepare(`INSERT INTO contents VALUES (?, ${CONTENT}, zeroblob(${CONTENT}))`)
  const message = db.prepare('INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?)')
  const recipient = db.prepare(`INSERT INTO recipients (queue_id, recipient, state) VALUES (?, ?, 'deferred')`)
  const event = db.prepare('INSERT INTO events (queue_id, doc) VALUES (?, ?)')
  const deferral = db.prepare('INSERT INTO deferrals VALUES (?, ?, ?, 1, ?)')
  const now = Date.now()
  const ids: string[] = []
  for (let n = 0; n < COUNT; n++) {
    const acceptedAt = now - 96 * HOUR + Math.floor((n * 95 * HOUR) / COUNT)
    const queueId = mintQueueId(acceptedAt)
    const sender = `sender-${n % 50_000}@mail.example.org`
    const to = `user-${n % 977}@${n % 2 === 0 ? DEAD : `d-${n % DOMAINS}.example`}`
    const messageId = `<${n}@mail.example.org>`
    const client = { address: '192.0.2.7', port: 40_123, helo: 'mail.example.org', esmtp: true }
    const envelope = { reversePath: sender, recipients: [{ address: to }], smtputf8: false, body: '8BITMIME' }
    const accepted = { at: acceptedAt, event: 'accepted', reply: `250 2.0.0 Ok: queued as ${queueId}` }
    const job = { kind: 'delivery', id: `${queueId}/delivery/9`, queueId, recipients: [to], attempt: 9, headers: [] }
    // The trickle takes what is due last; nothing comes due by itself while this runs.
    const dueAt = now + HOUR + (n % (4 * HOUR))
    const why = 'connect to 192.0.2.25: connection refused'
    const story = { event: 'deferred', stage: 'delivery', nextHop: 'smtp://192.0.2.25:25', attempt: 8 }
    content.run(queueId)
    const doc = { queueId, acceptedAt, client, envelope, size: CONTENT, messageId }
    message.run(queueId, sender, messageId, acceptedAt, JSON.stringify(doc), JSON.stringify(accepted))
    recipient.run(queueId, to)
    event.run(queueId, JSON.stringify({ at: now - HOUR, ...story, recipients: [to], why, dueAt }))
    deferral.run(job.id, dueAt, acceptedAt, JSON.stringify({ job, dueAt }))
    if (n % 1000 === 0) ids.push(job.id)
  }
  const counted = db.prepare('UPDATE totals SET recipients = ? WHERE name = ?')
  for (const name of ['accepted', 'deferred']) counted.run(COUNT, name)
  db.exec('COMMIT; PRAGMA wal_checkpoint(TRUNCATE)')
  db.close()
  return ids
}

async function measure(
  dataDir: string,
  jobs: readonly string[],
  { directory, say }: Pick<Plan, 'directory' | 'say'>,
): Promise<Figures> {
  const settings = { data_dir: dataDir, limits: { queued_messages: 2 * COUNT } }
  const config = join(temporaryDirectory(directory), 'elemta.yaml')
  writeFileSync(config, JSON.stringify({ data_dir: dataDir }))
  say(jobs.length === 0 ? 'without mail' : `with ${COUNT} deferred messages`)
  const start = await seconds(() => startElemta({ kind: 'accept' }, { directory }, settings))
  const elemta = start.result
  const memory = async (when: string) => ({
    [`RSS ${when}, MB`]: residentBytes(elemta.pids) / MB,
    [`heap ${when}, MB`]: (await elemta.metric('nodejs_heap_size_used_bytes')) / MB,
  })
  const command = (...args: string[]) => run(process.execPath, [PROGRAM, ...args, '--config', config])
  const list = (domain: string) => median(() => command('queue', 'list', '--domain', domain, '--json'))
  try {
    await sleep(SETTLE)
    const atFirst = await memory('after the start')
    const idle = await processorShare(elemta)
    const trickle = jobs.length === 0 ? { share: 0 } : await withTrickle(dataDir, jobs, () => processorShare(elemta))
    const afterwards = await memory('afterwards')
    const { result: lists, othersCores } = await observe(async () => ({
      none: await list('nobody.example'),
      some: await list(`d-${DOMAINS - 1}.example`),
      most: await list(DEAD),
    }))
    const ledger = await seconds(() => command('ledger'))
    if (!ledger.result.includes('balanced:')) throw new Error(`the ledger: ${ledger.result}`)
    const flush = await seconds(() => command('queue', 'retry', '--domain', `d-${DOMAINS - 1}.example`))
    return {
      'start, s': start.seconds,
      ...atFirst,
      'CPU when nothing is due, %': idle.share,
      ...(jobs.length > 0 && { [`CPU when ${DUE_PER_SECOND} a second are due, %`]: trickle.share }),
      'a scrape, s': idle.scrape,
      ...afterwards,
      'queue list of an unknown domain, s': lists.none,
      'queue list of a small domain, s': lists.some,
      'queue list of the largest domain, 1,000 lines, s': lists.most,
      'cores that others used during the lists': othersCores,
      'queue retry of a small domain, s': flush.seconds,
      'ledger, by its rows, s': ledger.seconds,
      ...(await memory('after the lists')),
    }
  } finally {
    await elemta.stop()
  }
}

/** Per cent of one core, with a scrape now and then, and how long the longest scrape takes. */
async function processorShare(elemta: Elemta): Promise<{ share: number; scrape: number }> {
  let scrape = 0
  const before = processorTime(elemta.pids)
  const { seconds: passed } = await observe(async () => {
    for (let n = 0; n < WINDOW / SCRAPE_EVERY; n++) {
      await sleep(SCRAPE_EVERY * 1000)
      scrape = Math.max(scrape, (await seconds(() => elemta.metric('elemta_ledger_imbalance'))).seconds)
    }
  })
  return { share: (100 * (processorTime(elemta.pids) - before)) / passed, scrape }
}

/** Makes jobs due while `work` runs. */
async function withTrickle<T>(dataDir: string, jobs: readonly string[], work: () => Promise<T>): Promise<T> {
  const db = new DatabaseSync(join(dataDir, 'elemta.sqlite'), { timeout: 5000 })
  db.exec('PRAGMA synchronous = OFF')
  const due = db.prepare('UPDATE deferrals SET due_at = ? WHERE job_id = ?')
  let next = 0
  const timer = setInterval(() => {
    for (let n = 0; n < DUE_PER_SECOND; n++) due.run(Date.now(), jobs[next++] ?? '')
  }, 1000)
  try {
    const result = await work()
    if (next < (WINDOW - 10) * DUE_PER_SECOND) throw new Error('the trickle was less than it should be')
    return result
  } finally {
    clearInterval(timer)
    db.close()
  }
}

/** Of five times, in seconds. */
async function median(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let n = 0; n < 5; n++) times.push((await seconds(work)).seconds)
  return times.toSorted((a, b) => a - b)[2]!
}

async function seconds<T>(work: () => Promise<T>): Promise<Readonly<{ result: T; seconds: number }>> {
  const startedAt = performance.now()
  const result = await work()
  return { result, seconds: (performance.now() - startedAt) / 1000 }
}

function table(without: Figures, withThem: Figures): string {
  const show = (value: number | undefined) => (value === undefined ? '–' : value.toFixed(value < 10 ? 2 : 1))
  const rows = Object.entries(withThem).map(([what, value]) => [what, show(without[what]), show(value)])
  return [`### ${COUNT} deferred messages`, '', ...markdown(['', 'no mail', 'with them'], rows), ''].join('\n')
}
