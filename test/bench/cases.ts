// The cases of the benchmark: what each needs and how it is measured.
import { measureAbuse } from './abuse.ts'
import { type Contender, compareAccept, FAST_DISK, type Plan, SLOW_DISK } from './accept.ts'
import { measureAwsAccept } from './aws-accept.ts'
import { compareChecks } from './checks.ts'
import { measureColdStart } from './cold-start.ts'
import { measureCrashes } from './crash.ts'
import { measureDeferred } from './deferred.ts'
import { compareDeliver } from './deliver.ts'
import { startElemta } from './elemta.ts'
import { measureGreylist } from './greylist.ts'
import { installHaraka, startHaraka } from './haraka.ts'
import { measureMemory } from './memory.ts'
import { measureMetrics } from './metrics.ts'
import { startPostfix } from './postfix.ts'
import { LOAD, type Requirement, SCANNERS } from './requirements.ts'
import type { Comparison } from './samples.ts'
import { compareScanned } from './scanned.ts'
import { startSink } from './sink.ts'
import { installSmtpServer, startSmtpServer } from './smtp-server.ts'
import { comparisonTable } from './table.ts'
import { compareTls } from './tls.ts'

export type CasePlan = Plan & Readonly<{ servers: readonly string[] }>
export type Case = Readonly<{
  requires: readonly Requirement[]
  measure(plan: CasePlan): Promise<Readonly<{ markdown: string; figures: unknown }>>
}>
export type CaseName = keyof typeof CASES

const SLOW_SYNC_MICROSECONDS = 2000

const elemta: Contender = { name: 'Elemta', start: place => startElemta({ kind: 'accept' }, place) }
const postfix: Contender = { name: 'Postfix', start: place => startPostfix({ kind: 'hold' }, place) }

const own = ({ servers }: CasePlan) => [elemta, postfix].filter(({ name }) => servers.includes(name.toLowerCase()))

export const CASES = {
  accept: {
    requires: LOAD,
    async measure(plan) {
      const notes: string[] = []
      const npmPeers = await installPeers(plan, notes)
      const sink = await startSink(plan.directory)
      try {
        const peers = npmPeers.flatMap(peer => peer(sink.port))
        const contenders = [...own(plan), ...peers]
        return report(await compareAccept(plan, contenders, FAST_DISK), notes)
      } finally {
        await sink.stop()
      }
    },
  },
  'slow-sync': {
    requires: [...LOAD, 'gcc'],
    async measure(plan) {
      return report(await compareAccept(plan, own(plan), SLOW_DISK, SLOW_SYNC_MICROSECONDS))
    },
  },
  deliver: {
    requires: LOAD,
    async measure(plan) {
      return report([await compareDeliver(plan)])
    },
  },
  scanned: {
    requires: [...LOAD, ...SCANNERS],
    async measure(plan) {
      return report([await compareScanned(plan)])
    },
  },
  memory: {
    requires: [...LOAD, ...SCANNERS],
    measure: measureMemory,
  },
  metrics: {
    requires: [...LOAD, ...SCANNERS],
    measure: measureMetrics,
  },
  checks: {
    requires: [...LOAD, 'gcc', 'unbound'],
    async measure(plan) {
      return report(await compareChecks(plan))
    },
  },
  tls: {
    requires: [...LOAD, 'gcc', 'openssl'],
    async measure(plan) {
      return report(await compareTls(plan))
    },
  },
  abuse: {
    requires: SCANNERS,
    measure: measureAbuse,
  },
  deferred: {
    requires: [],
    measure: measureDeferred,
  },
  greylist: {
    requires: [],
    measure: measureGreylist,
  },
  crash: {
    requires: ['strace'],
    measure: measureCrashes,
  },
  'aws-accept': {
    requires: [],
    measure: measureAwsAccept,
  },
  'cold-start': {
    requires: [],
    measure: measureColdStart,
  },
} satisfies Record<string, Case>

/** Peers from npm, installed for this run; one that cannot be had is a note, not a failure. */
async function installPeers({ servers, directory, say }: CasePlan, notes: string[]) {
  const installed: ((nextHop: number) => Contender[])[] = []
  const attempt = async (name: string, install: () => Promise<(typeof installed)[number]>) => {
    if (!servers.includes(name)) return
    say(`installing ${name} from npm into ${directory}`)
    try {
      installed.push(await install())
    } catch (error) {
      notes.push(`${name} could not be installed: ${error instanceof Error ? error.message : error}`)
    }
  }
  await attempt('haraka', async () => {
    const program = await installHaraka(directory)
    return nextHop => [
      { name: 'Haraka', start: place => startHaraka(program, { kind: 'deliver', nextHop }, place) },
      { name: 'Haraka, held', start: place => startHaraka(program, { kind: 'hold' }, place) },
    ]
  })
  await attempt('smtp-server', async () => {
    const program = await installSmtpServer(directory)
    return () => [{ name: 'smtp-server', start: place => startSmtpServer(program, place) }]
  })
  return installed
}

function report(comparisons: readonly Comparison[], notes: readonly string[] = []) {
  const all = comparisons.map(comparison => ({ ...comparison, notes: [...comparison.notes, ...notes] }))
  return { markdown: all.map(comparisonTable).join('\n'), figures: all }
}
