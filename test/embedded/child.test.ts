// Supervision, shown on small shell scripts in place of the daemons.
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Child, type ChildOptions, nextRestartDelay, startChild } from '../../local/embedded/child.ts'
import { makeHome, makeOwnDirectory } from '../../local/embedded/home.ts'
import { accountFor } from '../../local/embedded/program.ts'
import { silentLog } from '../../src/platform/log.ts'

let home: string
let children: Child[]

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'elemta-child-'))
  chmodSync(home, 0o755)
  makeOwnDirectory(join(home, 'own'), accountFor('nobody'))
  children = []
})

afterEach(async () => {
  for (const child of children) await child.stop()
  rmSync(home, { recursive: true, force: true })
})

/** A child that runs this script in its own directory and is ready once it has made the file `ready`. */
async function run(script: string, more: Partial<ChildOptions> = {}): Promise<Child> {
  const child = await startChild({
    name: 'sample',
    program: '/bin/sh',
    args: ['-c', `cd own\n${script}`],
    home,
    account: accountFor('nobody'),
    probe: async () => existsSync(own('ready')),
    readyWithin: 10_000,
    log: silentLog,
    ...more,
  })
  children.push(child)
  return child
}

const own = (file: string) => join(home, 'own', file)
const pid = (child: Child) => Number(/^pid (\d+)$/.exec(child.status().detail)?.[1])
const isAlive = (process: number) =>
  existsSync(`/proc/${process}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${process}/status`, 'latin1'))

test('a child that dies at start is an error with its last words', async () => {
  await expect(run('echo "no such database" >&2; exit 3')).rejects.toThrow(
    /sample ended with exit code 3; it said:\nno such database/,
  )
})

test('a child that is not ready in time is ended, with its own children', async () => {
  await expect(run('sleep 600 & echo $! > grandchild; wait', { readyWithin: 300, grace: 100 })).rejects.toThrow(
    /not ready within 0.3 s/,
  )
  await expect.poll(() => isAlive(Number(readFileSync(own('grandchild'), 'latin1')))).toBe(false)
})

test('a program that cannot be run is an error, not a crash', async () => {
  await expect(run('', { program: '/nonexistent/daemon' })).rejects.toThrow(/nonexistent/)
})

test('a child is unprivileged, in a group of its own and without our environment', async () => {
  process.env.ELEMTA_TEST_SECRET = 'x'
  const child = await run('{ id -u; env; } > found; touch ready; exec sleep 600')
  delete process.env.ELEMTA_TEST_SECRET
  const [uid, ...environment] = readFileSync(own('found'), 'latin1').split('\n')
  expect(uid).not.toBe('0')
  expect(environment.join()).not.toContain('SECRET')
  const [, , group] = readFileSync(`/proc/${pid(child)}/stat`, 'latin1')
    .replace(/^.*\) /, '')
    .split(' ')
  expect(Number(group)).toBe(pid(child)) // a terminal’s Ctrl-C does not reach it
})

test('a child that dies is started again and is not ready before its probe says so', async () => {
  const child = await run('touch ready; exec sleep 600')
  const first = pid(child)
  unlinkSync(own('ready'))
  process.kill(first, 'SIGKILL')
  await expect.poll(() => child.status()).toEqual({ name: 'sample', ok: false, detail: 'ended by SIGKILL' })
  await expect.poll(() => child.status().ok, { timeout: 5_000 }).toBe(true)
  expect(pid(child)).not.toBe(first)
})

test('a child that ignores SIGTERM is killed after the grace period', async () => {
  const child = await run('trap "" TERM; touch ready; while :; do sleep 1; done', { grace: 100 })
  const process = pid(child)
  await child.stop()
  expect(isAlive(process)).toBe(false)
  expect(child.status()).toEqual({ name: 'sample', ok: false, detail: 'stopped' })
})

test('a child that is stopped while it waits for its next start stays down', async () => {
  const child = await run('touch ready; exec sleep 600')
  process.kill(pid(child), 'SIGKILL')
  await expect.poll(() => child.status().ok).toBe(false)
  rmSync(own('ready'))
  await child.stop()
  await child.stop()
  expect(child.status().detail).toBe('stopped')
  expect(existsSync(own('ready'))).toBe(false)
})

test('a start is given up when its signal says so', async () => {
  const shutdown = new AbortController()
  const starting = run('echo $$ > pid; exec sleep 600', { signal: shutdown.signal })
  const failed = expect(starting).rejects.toThrow(/stopped while it started/)
  await expect.poll(() => existsSync(own('pid'))).toBe(true)
  shutdown.abort()
  await failed
  expect(isAlive(Number(readFileSync(own('pid'), 'latin1')))).toBe(false)
})

test('its log begins anew at each start of ours', async () => {
  writeFileSync(join(home, 'sample.log'), 'of yesterday\n')
  const child = await run('echo today; touch ready; exec sleep 600')
  expect(readFileSync(join(home, 'sample.log'), 'latin1')).toBe('today\n')
  await child.stop()
})

test('the delay before a new start grows from 1 s to 30 s, and starts over after a steady minute', () => {
  const delays = [undefined, 1_000, 2_000, 16_000, 30_000].map(previous => nextRestartDelay(previous, 500))
  expect(delays).toEqual([1_000, 2_000, 4_000, 30_000, 30_000])
  expect(nextRestartDelay(30_000, 60_000)).toBe(1_000)
})

test('files go elsewhere when the daemon’s account could not reach them', () => {
  const account = accountFor('nobody')
  const closed = join(home, 'closed')
  makeOwnDirectory(closed, undefined)
  const place = makeHome(join(closed, 'data'), 'clamd', account)
  try {
    // As root the daemon is somebody else and stays out; otherwise it is ourselves.
    expect(place).toMatch(account ? /^\/var\/lib\/elemta\/[0-9a-f]{12}\/clamd$/ : /closed\/data\/clamd$/)
    expect(makeHome(join(closed, 'data'), 'clamd', account)).toBe(place)
    expect(existsSync(join(closed, 'data'))).toBe(!account)
  } finally {
    if (account) rmSync(join(place, '..'), { recursive: true })
  }
})
