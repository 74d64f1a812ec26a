// Power cuts, simulated: the system calls of a process that accepts messages are recorded with strace, and played on a
// disk that keeps only what was synced. Whatever the moment of the cut, everything acknowledged must be there.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { findFaults } from './acknowledged.ts'
import { temporaryDirectory } from './embedded-home.ts'
import { createDisk, type Survival } from './power-loss-disk.ts'
import { type FileCall, parseTrace } from './power-loss-trace.ts'

const MESSAGES_PER_OPENING = 28
const NAME_CALLS = 'rename,renameat,renameat2,unlink,unlinkat,link,linkat,mkdir,mkdirat,rmdir'
const CALLS = `openat,close,write,writev,pwrite64,pwritev,ftruncate,fsync,fdatasync,${NAME_CALLS}`

let directory: string
beforeAll(async () => {
  directory = await temporaryDirectory()
})
afterAll(() => rm(directory, { recursive: true }))

/** What the process did, in order. Its own word counts from the moment it began to speak. */
type Recording = { dataDir: string; calls: FileCall[]; said: (string | undefined)[] }

async function record(name: string, synchronous: 'FULL' | 'NORMAL', ...faults: string[]): Promise<Recording> {
  const dataDir = join(directory, name)
  const trace = `${dataDir}.trace`
  const script = new URL('./accept-messages.ts', import.meta.url).pathname
  const strace = spawn(
    'strace',
    ['-f', '-y', '-xx', '-s', '9999999', '-e', `trace=${CALLS}`, '-e', 'signal=none', '-o', trace]
      .concat(faults, process.execPath, script, dataDir)
      .concat(String(MESSAGES_PER_OPENING), synchronous),
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
  strace.once('error', error => {
    throw new Error('this test needs strace (Debian package strace)', { cause: error })
  })
  const [code] = await once(strace, 'exit')
  expect(code, 'the recorded process works').toBe(0)

  const speaks = ({ call, args }: FileCall) => call === 'write' && /^1[<]/.test(String(args[0]))
  const at = (call: FileCall) => (speaks(call) ? call.began : call.ended)
  const calls = parseTrace(await readFile(trace, 'latin1')).sort((a, b) => at(a) - at(b))
  return { dataDir, calls, said: calls.map(call => (speaks(call) ? String(call.args[1]).trim() : undefined)) }
}

type Cut = Readonly<{ index: number; survives: Survival; kept: string }>

const nothing = { survives: () => false, kept: 'nothing unsynced' }
const anything = { survives: () => Math.random() < 0.5, kept: 'some of the unsynced' }

/** What is wrong after power was lost just behind the call with each cut's index. */
async function findFaultsAfter({ dataDir, calls, said }: Recording, cuts: readonly Cut[]): Promise<string[]> {
  const disk = createDisk(dataDir)
  const faults: string[] = []
  let played = 0
  for (const { index, survives, kept } of cuts.toSorted((a, b) => a.index - b.index)) {
    for (; played <= index; played++) disk.apply(calls[played]!)
    const restored = await mkdtemp(join(directory, 'restored-'))
    disk.restore(restored, survives)
    const lines = said.slice(0, played).filter(line => line !== undefined)
    for (const fault of await findFaults(restored, lines)) faults.push(`call ${index}, ${kept} left: ${fault}`)
    await rm(restored, { recursive: true })
  }
  return faults
}

const some = <T>(from: readonly T[], count: number) =>
  Array.from({ length: count }, () => from[Math.floor(Math.random() * from.length)]!)

it('keeps everything acknowledged through a power cut, with one sync for many messages', {
  timeout: 60_000,
}, async () => {
  const recording = await record('synced', 'FULL')
  const { calls, said } = recording
  const acknowledgements = [...said.keys()].filter(index => said[index]?.startsWith('accepted'))
  expect(acknowledgements).toHaveLength(2 * MESSAGES_PER_OPENING)

  const syncs = calls.filter(({ call, args }) => call.endsWith('sync') && String(args[0]).includes('.sqlite-wal'))
  expect(syncs.length).toBeLessThan(acknowledgements.length)

  const moments = [...said.keys()].filter(index => said[index] !== undefined)
  const faults = await findFaultsAfter(recording, [
    ...[...some(moments, 9), acknowledgements[0]!, moments.at(-1)!].map(index => ({ index, ...nothing })),
    ...[...some([...calls.keys()], 6), ...some(moments, 6)].map(index => ({ index, ...anything })),
    { index: calls.length - 1, ...nothing },
  ])
  expect(faults).toEqual([])
})

it('would notice a spool that is synced too late', async () => {
  const recording = await record('synced-late', 'NORMAL')
  const index = recording.said.findLastIndex(line => line?.startsWith('accepted'))
  const faults = await findFaultsAfter(recording, [{ index, ...nothing }])
  expect(faults).toContainEqual(expect.stringMatching(/no record/))
})

it('makes good a sync that fails, by way of the database', async () => {
  // Per thread: the tenth sync of the log is in the middle of accepting; a large content is not one of ten.
  const recording = await record('failing-once', 'FULL', '-e', 'inject=fdatasync:error=EIO:when=10')
  const { calls, said } = recording
  expect(calls.some(({ call, result }) => call === 'fdatasync' && result !== 0)).toBe(true)
  expect(said).not.toContain('refused EIO')
  const moments = [...said.keys()].filter(index => said[index]?.startsWith('accepted'))
  const cuts = [...some(moments, 3), moments.at(-1)!].map(index => ({ index, ...nothing }))
  expect(await findFaultsAfter(recording, cuts)).toEqual([])
})

it('survives a disk whose syncs fail for a while: what was acknowledged afterwards does not rest on what was lost', async () => {
  // Each of the log's syncs that fails costs the writer some of its own; those of the third fail, too.
  const failures = ['fdatasync:error=EIO:when=8+2', 'fsync:error=EIO:when=10..13']
  const recording = await record('failing', 'FULL', ...failures.flatMap(failure => ['-e', `inject=${failure}`]))
  const { calls, said } = recording
  expect(said).toContain('refused EIO')
  const afterwards = said.findIndex(
    (line, index) => line?.startsWith('accepted') && index > said.indexOf('refused EIO'),
  )
  const last = said.findLastIndex(line => line?.startsWith('accepted'))
  const cuts = [afterwards, ...some([...calls.keys()].slice(afterwards), 1), last].map(index => ({ index, ...nothing }))
  expect(await findFaultsAfter(recording, cuts)).toEqual([])
})
