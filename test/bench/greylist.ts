// What a greylist decision costs with a million triplets: the real plugin on the real store in this process, one
// recipient after the other and 20 at the same moment. Strangers, early retries, late retries and known ones come at random, so
// that nearly every decision meets pages of the database that were not used just before.
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { openPolicyStore } from '../../src/backends.ts'
import type { PluginConfig } from '../../src/platform/config.ts'
import { builtinPlugin } from '../../src/platform/config-plugins.ts'
import { createDns } from '../../src/platform/dns.ts'
import { silentLog } from '../../src/platform/log.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import type { TransactionView } from '../../src/plugins/plugin.ts'
import { createPluginMetrics } from '../../src/plugins/plugin-metrics.ts'
import { createGreylist } from '../../src/policy/greylist.ts'
import { networkOf, TRIPLETS, tripletKey } from '../../src/policy/greylist-key.ts'
import type { Plan } from './accept.ts'
import { temporaryDirectory } from './program.ts'
import { markdown } from './table.ts'

const COUNT = 1_000_000
const AT_ONCE = 20
/** Recipients a second: 17 million a day. */
const RATE = 200
/** Two checkpoints long. */
const STEADY_SECONDS = 65
const STRANGERS = 0.4
const TARGET = 5
/** Milliseconds: nobody's delay or retry window is over or begins anew while this runs. */
const HOUR = 3_600_000
const JUST_NOW = 10_000

type Mail = Readonly<{ from: string; sender: string; to: string }>
type Load = Readonly<{ what: string; atOnce: number; rate?: number; seconds?: number }>
type Figure = Readonly<{ what: string; decisions: number; perSecond: number; p50: number; p99: number; max: number }>

/** The steady one first: the others leave so much to be written to the disk that it would be measured with them. */
const LOADS: readonly Load[] = [
  { what: `${AT_ONCE} at once, ${RATE} a second`, atOnce: AT_ONCE, rate: RATE, seconds: STEADY_SECONDS },
  { what: 'one after the other', atOnce: 1 },
  { what: `${AT_ONCE} at once, as fast as it goes`, atOnce: AT_ONCE },
]

const settings = builtinPlugin.parse({ name: 'greylist' }).config as PluginConfig<'greylist'>

export async function measureGreylist({ directory, rounds, seconds, say }: Plan) {
  const dataDir = temporaryDirectory(directory)
  await (await openPolicyStore({ dataDir })).close()
  say(`filling in ${COUNT} triplets`)
  fill(`${dataDir}/policy.db`)

  const store = await openPolicyStore({ dataDir })
  const catalogue = createMetrics()
  const plugin = createGreylist(settings, {
    name: 'greylist',
    hostname: 'mx.example.com',
    log: silentLog,
    now: Date.now,
    dns: createDns({ servers: ['127.0.0.1:9'], timeout: 1 }),
    store,
    metrics: createPluginMetrics(catalogue.registry, 'greylist'),
    catalogue,
    isOurs: () => true,
    nextHop: () => undefined,
  })
  const decide = async (mail: Mail, queueId: string) => plugin.recipient?.(transaction(mail, queueId), mail.to)
  try {
    const figures: Figure[] = []
    for (const load of LOADS) figures.push(await measure(decide, load, load.seconds ?? rounds * seconds))
    const lines = (await catalogue.registry.metrics()).split('\n')
    const failed = lines.find(line => line.includes('"store-failed"'))
    if (!failed?.endsWith(' 0')) throw new Error(`the store did not keep up: ${failed}`)
    return { markdown: table(figures), figures }
  } finally {
    await plugin.close?.()
    await store.close()
  }
}

/** Straight into the file, since a million decisions would take minutes. */
function fill(path: string): void {
  const db = new DatabaseSync(path)
  const add = db.prepare('INSERT INTO entries (space, key, value, expires_at) VALUES (?, ?, ?, ?)')
  const now = Date.now()
  db.exec('BEGIN')
  for (let n = 0; n < COUNT; n++) {
    const { from, sender, to } = known(n)
    const key = tripletKey({ client: networkOf(from, settings), sender, recipient: to })
    const passes = n % 2
    // Of those that wait, half came a moment ago and half an hour ago.
    const firstSeen = n % 4 === 0 ? now - JUST_NOW : now - HOUR
    const value = { firstSeen, lastSeen: firstSeen, passes }
    const end = firstSeen + (passes === 0 ? settings.retry_window : settings.lifetime)
    add.run(TRIPLETS, key, JSON.stringify(value), end)
  }
  db.exec('COMMIT')
  db.close()
}

/** The nth triplet: about 60,000 networks and 20,000 sender domains. */
function known(n: number): Mail {
  const network = (n * 7919) % 60_000
  return {
    from: `10.${network >> 8}.${network & 255}.${n % 250}`,
    sender: `sender-${n}@mail-${n % 20_000}.example.org`,
    to: `user-${n % 1000}@example.com`,
  }
}

async function measure(
  decide: (mail: Mail, queueId: string) => Promise<unknown>,
  { what, atOnce, rate }: Load,
  seconds: number,
): Promise<Figure> {
  const latencies: number[] = []
  const startedAt = performance.now()
  const end = startedAt + seconds * 1000
  async function one(askedAt: number) {
    const mail = known(Math.floor(Math.random() * COUNT))
    const queueId = String(Math.random())
    const stranger = { ...mail, sender: `${queueId}@example.net` }
    await decide(Math.random() < STRANGERS ? stranger : mail, queueId)
    latencies.push(performance.now() - askedAt)
  }
  const together = (askedAt: number) => Promise.all(Array.from({ length: atOnce }, () => one(askedAt)))

  if (rate === undefined) {
    while (performance.now() < end) {
      await together(performance.now())
      await turn()
    }
  } else {
    // Whoever comes while the ones before are still waiting has waited since it came.
    const running = new Set<Promise<unknown>>()
    for (let due = startedAt; due < end; due += (atOnce / rate) * 1000) {
      await sleep(Math.max(0, due - performance.now()))
      const group = together(due).finally(() => running.delete(group))
      running.add(group)
    }
    await Promise.all(running)
  }
  const passed = (performance.now() - startedAt) / 1000
  latencies.sort((a, b) => a - b)
  const quantile = (q: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * q))]!
  const decisions = latencies.length
  return { what, decisions, perSecond: decisions / passed, p50: quantile(0.5), p99: quantile(0.99), max: quantile(1) }
}

function transaction({ from, sender }: Mail, queueId: string): TransactionView {
  const client = { address: from, port: 40123, helo: 'mail.example.org', esmtp: true }
  return { client, mode: 'mx', trusted: false, suspicions: [], queueId, reversePath: sender, recipients: [] }
}

function table(figures: readonly Figure[]): string {
  const rows = figures.map(({ what, decisions, perSecond, p50, p99, max }) => [
    what,
    String(decisions),
    perSecond.toFixed(0),
    p50.toFixed(2),
    p99.toFixed(2),
    max.toFixed(0),
    `< ${TARGET}: ${p99 < TARGET ? 'reached' : 'missed'}`,
  ])
  const head = ['', 'decisions', 'per second', 'p50 ms', 'p99 ms', 'longest ms', 'p99']
  return [`### Greylisting, ${COUNT} triplets`, '', ...markdown(head, rows), ''].join('\n')
}
