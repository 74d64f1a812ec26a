// A disk that is really full: a small file system of memory, in a mount namespace of its own that ends with the test's
// process. Needs `unshare` (util-linux) and either root or user namespaces.
import { execFile } from 'node:child_process'
import { mkdir, rm } from 'node:fs/promises'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { temporaryDirectory } from './embedded-home.ts'
import type { Scenario } from './fill-disk.ts'

it.each<Scenario>([
  { size: 30_000, reserve: 0, relief: 'get room' },
  { size: 150_000, reserve: 0, relief: 'get room' },
  { size: 30_000, reserve: 3_000_000, relief: 'finish' },
  { size: 150_000, reserve: 3_000_000, relief: 'finish' },
])('answers 451 4.3.1 when the disk is full, keeps nothing of it, and works again: %o', async scenario => {
  const directory = await temporaryDirectory()
  const mount = `${directory}/small`
  await mkdir(mount)
  const script = new URL('./fill-disk.ts', import.meta.url).pathname
  const command = `mount -t tmpfs -o size=10m none ${mount} && exec "$0" ${script} ${mount}/data '${JSON.stringify(scenario)}'`
  const { stdout } = await promisify(execFile)('unshare', ['-rm', 'sh', '-c', command, process.execPath])
  expect(JSON.parse(stdout)).toEqual({
    replies: Array(5).fill('451 4.3.1'),
    nothingElseKept: true,
    broken: 0,
    worksAgain: true,
    unaccounted: 0,
  })
  await rm(directory, { recursive: true })
})
