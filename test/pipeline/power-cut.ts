// Power cuts through delivery: the system calls of a whole gateway that takes mail and delivers it are recorded with
// strace, and played on a disk that keeps only what was synced. At each cut everything acknowledged by then must be in
// the spool, whole, or be delivered; and a gateway that starts on what is left delivers the rest.
import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { openEmbedded } from '../../src/backends.ts'
import { readLedger } from '../../src/spool/ledger.ts'
import { type NextHop, startNextHop } from '../deliver/next-hop.ts'
import { createDisk, type Survival } from '../storage/power-loss-disk.ts'
import { type FileCall, parseTrace } from '../storage/power-loss-trace.ts'
import { untilIdle } from './crash-loop.ts'
import { compare, randomFrom, streamMail, type Try } from './crash-mail.ts'
import { startGateway } from './gateway.ts'

export type PowerCuts = Readonly<{ messages: number; cuts: number; restarts: number; seed: number; directory: string }>

export type PowerCutResult = Readonly<{
  acknowledged: number
  /** Cuts looked at, and those after which a gateway was started. */
  cuts: number
  restarts: number
  /** What is wrong, one line each. */
  faults: readonly string[]
}>

const NAME_CALLS = 'rename,renameat,renameat2,unlink,unlinkat,link,linkat,mkdir,mkdirat,rmdir'
const CALLS = `openat,close,write,writev,pwrite64,pwritev,ftruncate,fsync,fdatasync,${NAME_CALLS}`

type Recording = Readonly<{ dataDir: string; calls: readonly FileCall[]; tries: readonly Try[]; nextHop: NextHop }>

/** Plays cuts at random moments, with nothing, only names, only octets, or some of both left of what was not synced. */
export async function cutPower({ messages, cuts, restarts, seed, directory }: PowerCuts): Promise<PowerCutResult> {
  const random = randomFrom(seed)
  const nextHop = await startNextHop()
  try {
    const recording = await record({ messages, directory, random, nextHop })
    const { calls, tries, dataDir } = recording
    const survivals: readonly (readonly [string, Survival])[] = [
      ['nothing', () => false],
      ['names', what => what === 'name'],
      ['octets', what => what === 'octets'],
      ['some', () => random() < 0.5],
    ]
    const moments = Array.from({ length: cuts }, () => Math.floor(random() * calls.length)).toSorted((a, b) => a - b)
    const faults: string[] = []
    const disk = createDisk(dataDir)
    let played = 0
    let restarted = 0
    for (const [n, moment] of moments.entries()) {
      for (; played <= moment; played++) disk.apply(calls[played]!)
      const said = acknowledgedBy(calls.slice(0, played), tries)
      const [left, survives] = survivals[n % survivals.length]!
      const place = join(directory, `cut-${n}`)
      await mkdir(join(place, 'data'), { recursive: true })
      disk.restore(join(place, 'data'), survives)
      const found = await inspect(join(place, 'data'), said, recording)
      if (restarted < restarts && n >= (restarted * cuts) / restarts) {
        restarted++
        found.faults.push(...(await restart(place, found.unfinished, tries)))
      }
      for (const fault of found.faults) faults.push(`call ${moment}, ${left} left: ${fault}`)
      await rm(place, { recursive: true })
    }
    return { acknowledged: acknowledgedBy(calls, tries).length, cuts, restarts: restarted, faults }
  } finally {
    await nextHop.close()
  }
}

type Work = Readonly<{ messages: number; directory: string; random: () => number; nextHop: NextHop }>

async function record({ messages, directory, random, nextHop }: Work): Promise<Recording> {
  const trace = join(directory, 'trace')
  const strace = `exec strace -D -f -y -xx -s 9999999 -e trace=${CALLS} -e signal=none -o ${trace} "$@"`
  const tries: Try[] = []
  const gateway = await startGateway({ directory, config: routesTo(nextHop), within: strace })
  const enough = () => tries.filter(({ answer }) => answer === 'acknowledged').length >= messages
  await streamMail(gateway.port, tries, { random, enough, signal: new AbortController().signal })
  await untilIdle(gateway)
  await gateway.stop()
  // Its own word counts from the moment at which it began to speak, everything else from its end.
  const at = (call: FileCall) => (acknowledgedIn(call).length > 0 ? call.began : call.ended)
  const calls = parseTrace(await readFile(trace, 'latin1')).sort((a, b) => at(a) - at(b))
  return { dataDir: join(directory, 'data'), calls, tries, nextHop }
}

const routesTo = ({ url }: NextHop) => ({ routes: [{ domains: ['*'], to: url }] })

/** Queue ids in what was written to a client. */
function acknowledgedIn({ call, args }: FileCall): string[] {
  if (!call.startsWith('write') || !/^\d+<(?:socket|TCP)/.test(String(args[0]))) return []
  return [...String(args[1]).matchAll(/^250 .* queued as (\w{20})\r$/gm)].map(([, queueId = '']) => queueId)
}

function acknowledgedBy(calls: readonly FileCall[], tries: readonly Try[]): Try[] {
  const said = new Set(calls.flatMap(acknowledgedIn))
  return tries.filter(({ queueId }) => said.has(queueId))
}

async function inspect(dataDir: string, acknowledged: readonly Try[], { tries, nextHop }: Recording) {
  const faults: string[] = []
  const unfinished: Try[] = []
  const backends = await openEmbedded({ dataDir, now: Date.now })
  try {
    const { lost, corrupt } = compare(tries, nextHop.messages)
    if (lost + corrupt > 0) faults.push(`at the next hop: ${lost} lost, ${corrupt} corrupt`)
    const { imbalance } = await readLedger(backends)
    if (imbalance !== 0) faults.push(`the ledger lacks ${imbalance}`)
    for (const sent of acknowledged) {
      const record = await backends.records.get(sent.queueId)
      if (record === undefined) faults.push(`${sent.queueId} is lost`)
      else if (record.recipients.some(({ state }) => state !== 'delivered')) {
        unfinished.push(sent)
        const content = await backends.messages.open(sent.queueId)
        let octets = ''
        for await (const chunk of content.chunks()) octets += chunk.toString('latin1')
        if (octets !== sent.content) faults.push(`${sent.queueId} is not whole`)
      }
    }
  } finally {
    await backends.close()
  }
  return { faults, unfinished }
}

/** Starts a gateway on what is left: it must deliver all of the unfinished. */
async function restart(directory: string, unfinished: readonly Try[], tries: readonly Try[]): Promise<string[]> {
  const nextHop = await startNextHop()
  try {
    const gateway = await startGateway({ directory, config: routesTo(nextHop) })
    await untilIdle(gateway)
    await gateway.stop()
    const expected = tries.map(one => ({
      ...one,
      answer: unfinished.includes(one) ? one.answer : ('unknown' as const),
    }))
    const { lost, corrupt } = compare(expected, nextHop.messages)
    return lost + corrupt === 0 ? [] : [`after the restart: ${lost} lost, ${corrupt} corrupt`]
  } finally {
    await nextHop.close()
  }
}
