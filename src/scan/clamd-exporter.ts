// clamd for Prometheus: VERSION and STATS asked at each scrape and told as clamav_*. A fresh registry each time, so
// that nothing outlives the clamd that said it: when it does not answer both, `clamav_up 0` is all there is.
import { Gauge, Registry } from 'prom-client'
import { clamd } from '../platform/catalogue/clamd.ts'
import { type ClamavVersion, readVersionReply } from './clamd-reply.ts'
import { type ClamdStats, readStats } from './clamd-stats.ts'
import { exchange } from './exchange.ts'

type Clamd = Readonly<{ host: string; port: number }>
type Series = readonly (readonly [labels: Readonly<Record<string, string>>, value: number | undefined])[]

/** Milliseconds for both questions: less than Prometheus waits for a scrape. */
const PATIENCE = 5000
const REPLY_LIMIT = 256 * 1024

/** Never rejects. */
export async function scrapeClamd(address: Clamd): Promise<Registry> {
  const [version, stats] = await Promise.all([
    ask(address, 'VERSION').then(readVersionReply),
    ask(address, 'STATS').then(readStats),
  ]).catch(() => [undefined, undefined])
  const registry = new Registry()
  const isUp = version !== undefined && stats !== undefined
  tell(registry, clamd.up, [[{}, isUp ? 1 : 0]])
  if (isUp) tellAll(registry, version, stats)
  return registry
}

function tellAll(registry: Registry, version: ClamavVersion, { threads, queued, memory }: ClamdStats): void {
  const { engine, database, databaseBuiltAt } = version
  const by = (label: string, values: Readonly<Record<string, number>>): Series =>
    Object.entries(values).map(([name, value]) => [{ [label]: name }, value])
  tell(registry, clamd.buildInfo, [[{ engine }, 1]])
  tell(registry, clamd.databaseVersion, [[{}, database === undefined ? undefined : Number(database)]])
  tell(registry, clamd.databaseTimestamp, [[{}, databaseBuiltAt === undefined ? undefined : databaseBuiltAt / 1000]])
  tell(registry, clamd.threads, by('state', threads ?? {}))
  tell(registry, clamd.queueItems, [[{}, queued]])
  tell(registry, clamd.memory, by('kind', memory))
}

/** What is unknown is left out. */
function tell(registry: Registry, definition: (typeof clamd)[keyof typeof clamd], series: Series): void {
  const { name, help } = definition
  const known = series.filter(([, value]) => value !== undefined)
  if (known.length === 0) return
  const labelNames = Object.keys('labels' in definition ? definition.labels : {})
  const gauge = new Gauge({ name, help, labelNames, registers: [registry] })
  for (const [labels, value] of known) gauge.set(labels, value!)
}

/** The answer's text, without what ends it. Rejects when clamd cannot be asked, or breaks off. */
async function ask({ host, port }: Clamd, command: 'VERSION' | 'STATS'): Promise<string> {
  const request = () => [Buffer.from(`z${command}\0`)]
  const isEnd = (last: Buffer) => last.at(-1) === 0
  const { octets } = await exchange({ host, port, timeout: PATIENCE, request, replyLimit: REPLY_LIMIT, isEnd })
  if (!isEnd(octets)) throw new Error(`clamd broke off in its answer to ${command}`)
  return octets.toString('latin1', 0, octets.length - 1)
}
