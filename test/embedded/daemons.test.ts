// The real clamd, rspamd, redis and unbound, started and watched by startDaemons. One set serves the whole file.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type Daemons, type DaemonsOptions, startDaemons } from '../../local/embedded/daemons.ts'
import { freePort } from '../../local/embedded/port.ts'
import { clamdAnswers, rspamdAnswers } from '../../local/embedded/probe.ts'
import { findProgram } from '../../local/embedded/program.ts'
import { silentLog } from '../../src/platform/log.ts'

const MESSAGE_SIZE = 2 * 1024 * 1024
const EICAR = ['X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR', 'STANDARD', 'ANTIVIRUS', 'TEST', 'FILE!$H+H*'].join('-')
const GTUBE = ['XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE', 'STANDARD', 'ANTI', 'UBE', 'TEST', 'EMAIL*C.34X'].join('-')
/** A zip archive with one file, `secret`, that is marked as encrypted. */
const ENCRYPTED_ZIP = Buffer.from(
  'UEsDBBQAAQAAAAAAIVgPGCi7EAAAABAAAAAGAAAAc2VjcmV0eHh4eHh4eHh4eHh4eHh4eFBLAQIUAxQAAQAAAAAAIVgPGCi7EAAA' +
    'ABAAAAAGAAAAAAAAAAAAAACAAQAAAABzZWNyZXRQSwUGAAAAAAEAAQA0AAAANAAAAAAA',
  'base64',
)
const ZONES = `  local-zone: "good.test." static
  local-data: 'good.test. 60 IN TXT "v=spf1 ip4:203.0.113.10 -all"'`
const forTests = { hyperscanDir: '/var/tmp/elemta-hyperscan', zones: ZONES, ephemeral: true, testPatterns: true }

const root = mkdtempSync(join(tmpdir(), 'elemta-daemons-'))
chmodSync(root, 0o755) // the daemons' own accounts must get through
let daemons: Daemons

vi.setConfig({ testTimeout: 90_000 }) // rspamd may have to compile its patterns

beforeAll(async () => {
  daemons = await start('shared', { clamav: await nobody(), rspamd: await nobody() })
}, 120_000)

afterAll(async () => {
  await daemons?.stop()
  rmSync(root, { recursive: true, force: true })
})

function start(name: string, scanners: DaemonsOptions['scanners'], more: Partial<DaemonsOptions> = {}) {
  const dataDir = join(root, name)
  mkdirSync(dataDir, { recursive: true })
  return startDaemons({ dataDir, scanners, messageSize: MESSAGE_SIZE, log: silentLog, rspamd: forTests, ...more })
}

/** An address at which nobody answers. */
async function nobody() {
  return { host: '127.0.0.1', port: await freePort() }
}

/** What clamd says to this content, sent as one chunk of a stream. */
async function instream(port: number, content: Buffer, announced = content.length): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  const length = Buffer.alloc(4)
  length.writeUInt32BE(announced)
  socket.write(
    Buffer.concat([Buffer.from('zINSTREAM\0'), length, content, Buffer.alloc(content.length === announced ? 4 : 0)]),
  )
  let reply = ''
  socket.on('data', data => {
    reply += data.toString('latin1')
  })
  await once(socket, 'close')
  return reply
}

type Rated = { action: string; score: number; symbols: Record<string, unknown> }

async function rate(port: number, body: string, more: Record<string, string> = {}): Promise<Rated> {
  const head = 'From: ann@good.test\r\nTo: bob@example.com\r\nSubject: hello\r\nMessage-ID: <1@good.test>\r\n'
  const client = { IP: '203.0.113.10', Helo: 'mx.good.test', Hostname: 'mx.good.test' }
  const headers = { ...client, From: 'ann@good.test', Rcpt: 'bob@example.com', ...more }
  const date = `Date: ${new Date().toUTCString()}\r\n`
  const url = `http://127.0.0.1:${port}/checkv2`
  const response = await fetch(url, { method: 'POST', headers, body: `${head}${date}\r\n${body}\r\n` })
  return (await response.json()) as Rated
}

/** The process ids of these children, by name. */
function pids(of: Daemons): Record<string, number> {
  return Object.fromEntries(of.status().map(({ name, detail }) => [name, Number(/^pid (\d+)$/.exec(detail)?.[1])]))
}

/** Every living process of these process groups; a zombie that PID 1 has not reaped yet is dead. */
function living(groups: number[]): string[] {
  const processes = readdirSync('/proc').filter(name => /^\d+$/.test(name))
  return processes.filter(pid => {
    try {
      const [state, , group] = readFileSync(`/proc/${pid}/stat`, 'latin1')
        .replace(/^.*\) /, '')
        .split(' ')
      return state !== 'Z' && groups.includes(Number(group))
    } catch {
      return false // it ended while we looked
    }
  })
}

/** Where the clamds of this process unpack in memory. */
function unpackingOf(parent: number): string[] {
  if (!existsSync('/dev/shm')) return []
  return readdirSync('/dev/shm').filter(name => name.startsWith(`elemta-clamd-${parent}-`))
}

test('all four are ready, watched, and ours', () => {
  expect(daemons.problems).toEqual([])
  expect(daemons.clamav?.managed).toBe(true)
  expect(daemons.rspamd?.managed).toBe(true)
  expect(daemons.status().map(({ name, ok }) => ({ name, ok }))).toEqual([
    { name: 'clamd', ok: true },
    { name: 'rspamd', ok: true },
    { name: 'redis', ok: true },
    { name: 'unbound', ok: true },
  ])
})

test('none of them runs as root', () => {
  for (const pid of Object.values(pids(daemons))) {
    expect(readFileSync(`/proc/${pid}/status`, 'latin1')).not.toMatch(/^Uid:.*\b0\b/m)
  }
})

test('clamd finds EICAR and nothing in a clean text', async () => {
  expect(await instream(daemons.clamav!.port, Buffer.from(EICAR))).toMatch(/^stream: .*eicar.* FOUND\0$/i)
  expect(await instream(daemons.clamav!.port, Buffer.from('hello'))).toBe('stream: OK\0')
})

test('the built-in signatures are announced as such', () => {
  const official = existsSync('/var/lib/clamav/main.cvd') || existsSync('/var/lib/clamav/daily.cvd')
  expect(daemons.clamav?.testSignatures()).toBe(!official && !existsSync('/var/lib/clamav/daily.cld'))
})

test('clamd reports an encrypted archive', async () => {
  expect(await instream(daemons.clamav!.port, ENCRYPTED_ZIP)).toMatch(/Heuristics\.Encrypted\.Zip.* FOUND/)
})

test('clamd takes the longest message with its headers, and refuses a longer stream', async () => {
  expect(await instream(daemons.clamav!.port, Buffer.alloc(MESSAGE_SIZE + 4096, 'a'))).toBe('stream: OK\0')
  expect(await instream(daemons.clamav!.port, Buffer.alloc(0), 2 * MESSAGE_SIZE)).toMatch(/size limit exceeded/)
})

test('rspamd rejects GTUBE', async () => {
  expect(await rate(daemons.rspamd!.port, GTUBE)).toMatchObject({ action: 'reject', score: 15 })
})

test('rspamd knows the names of the zones given', async () => {
  const honest = await rate(daemons.rspamd!.port, `hello ${Math.random()}`)
  expect(honest.action).toBe('no action')
  expect(Object.keys(honest.symbols)).toContain('R_SPF_ALLOW')
  const forged = await rate(daemons.rspamd!.port, `hello ${Math.random()}`, { IP: '203.0.113.66' })
  expect(Object.keys(forged.symbols)).toContain('R_SPF_FAIL')
})

test('rspamd leaves greylisting to us', async () => {
  const actions = { greylist: 4, 'add header': 90, 'rewrite subject': 95, reject: 100 }
  const Settings = JSON.stringify({ scores: { R_SPF_ALLOW: 5 }, actions }) // enough for its own, were it on
  const { action, score } = await rate(daemons.rspamd!.port, `hello ${Math.random()}`, { Settings })
  expect(score).toBeGreaterThanOrEqual(4)
  expect(action).toBe('no action') // rspamd's own would say: soft reject, or propose: greylist
})

test('daemons that run already are used as they are, and outlive us', async () => {
  const { host, port } = daemons.clamav!
  const guest = await start('guest', { clamav: { host, port }, rspamd: { host, port: daemons.rspamd!.port } })
  expect(guest).toMatchObject({ clamav: { port, managed: false }, rspamd: { managed: false }, problems: [] })
  expect(guest.status()).toEqual([])
  await guest.stop()
  expect(await clamdAnswers(host, port)).toBe(true)
})

test('managed: true starts an own one even where somebody answers', async () => {
  const { host, port } = daemons.clamav!
  const own = await start('demanded', { clamav: { host, port, managed: true } })
  expect(own.clamav).toMatchObject({ managed: true })
  expect(own.clamav?.port).not.toBe(port)
  expect(own.status()).toMatchObject([{ name: 'clamd', ok: true }])
  await own.stop()
})

test('managed: false starts nothing and says so', async () => {
  const address = await nobody()
  const none = await start('none', { clamav: { ...address, managed: false } })
  expect(none.clamav).toMatchObject({ ...address, managed: false })
  expect(none.clamav?.testSignatures()).toBe(false)
  expect(none.problems).toEqual([expect.stringContaining('managed: false forbids')])
  expect(none.status()).toMatchObject([{ name: 'clamd', ok: false }])
  await none.stop()
})

test('without the packages: no error, the configured address, and the command that installs them', async () => {
  const clamav = await nobody()
  const rspamd = await nobody()
  const bare = await start('bare', { clamav, rspamd }, { searchPath: '' })
  expect(bare.clamav).toMatchObject({ ...clamav, managed: false })
  expect(bare.rspamd).toMatchObject({ ...rspamd, managed: false })
  expect(bare.problems).toEqual([
    expect.stringMatching(/clamd is not installed.*mail waits.*apt-get install .*clamav-daemon/),
    expect.stringMatching(/rspamd is not installed.*mail waits.*apt-get install .*rspamd redis-server unbound/),
  ])
  await bare.stop()
})

test('rspamd runs without redis and unbound, and that is a problem with a command', async () => {
  const bin = join(root, 'bin')
  mkdirSync(bin)
  symlinkSync(findProgram('rspamd', 'rspamd'), join(bin, 'rspamd'))
  const lean = await start('lean', { rspamd: await nobody() }, { searchPath: bin })
  expect(lean.problems).toEqual([
    expect.stringMatching(/rspamd runs, but redis-server is not.*unbound is not.*apt-get.* redis-server unbound/),
  ])
  expect(await rate(lean.rspamd!.port, GTUBE)).toMatchObject({ action: 'reject' })
  await lean.stop()
})

test('a daemon that fails at start is tried again, at the address that is known already', async () => {
  const bin = join(root, 'broken')
  const repaired = join(bin, 'repaired')
  mkdirSync(bin)
  const script = `#!/bin/sh\n[ -e ${repaired} ] || { echo 'no such database'; exit 1; }\nexec ${findProgram('clamd', '')} "$@"\n`
  writeFileSync(join(bin, 'clamd'), script, { mode: 0o755 })
  const late = await start('late', { clamav: await nobody() }, { searchPath: bin })
  expect(late.problems).toEqual([expect.stringMatching(/clamd ended with exit code 1.*no such database.*tried again/s)])
  expect(late.status()).toMatchObject([{ name: 'clamd', ok: false }])
  writeFileSync(repaired, '')
  await expect.poll(() => late.status()[0]?.ok, { timeout: 10_000 }).toBe(true)
  expect(await clamdAnswers('127.0.0.1', late.clamav!.port)).toBe(true)
  await late.stop()
})

test('killed children come back at the same address', async () => {
  const before = pids(daemons)
  process.kill(before.clamd!, 'SIGKILL')
  process.kill(before.rspamd!, 'SIGKILL')
  process.kill(before.redis!, 'SIGKILL')
  await expect.poll(() => daemons.status().filter(({ ok }) => !ok).length).toBe(3)
  await expect.poll(() => daemons.status().every(({ ok }) => ok), { timeout: 60_000 }).toBe(true)
  expect(living([before.rspamd!])).toEqual([])
  expect(await clamdAnswers('127.0.0.1', daemons.clamav!.port)).toBe(true)
  expect(await rate(daemons.rspamd!.port, GTUBE)).toMatchObject({ action: 'reject' })
})

test('stop leaves no process, no port and nothing in memory', async () => {
  const before = unpackingOf(process.pid)
  const own = await start('own', { clamav: await nobody(), rspamd: await nobody() })
  const groups = Object.values(pids(own))
  expect(living(groups).length).toBeGreaterThan(4)
  await own.stop()
  expect(living(groups)).toEqual([])
  expect(await clamdAnswers('127.0.0.1', own.clamav!.port)).toBe(false)
  expect(await rspamdAnswers('127.0.0.1', own.rspamd!.port)).toBe(false)
  expect(unpackingOf(process.pid)).toEqual(before)
  expect(own.status().map(({ detail }) => detail)).toEqual(['stopped', 'stopped', 'stopped', 'stopped'])
})

test('a parent killed by SIGKILL leaves no children', async () => {
  const dataDir = join(root, 'orphans')
  mkdirSync(dataDir)
  const scanners = { clamav: await nobody(), rspamd: await nobody() }
  const options = { dataDir, scanners, messageSize: MESSAGE_SIZE, rspamd: forTests }
  const module = (file: string) => JSON.stringify(new URL(`../../${file}`, import.meta.url).href)
  const program = `
    import { startDaemons } from ${module('local/embedded/daemons.ts')}
    import { silentLog } from ${module('src/platform/log.ts')}
    const daemons = await startDaemons({ ...${JSON.stringify(options)}, log: silentLog })
    console.log(daemons.status().map(({ detail }) => detail.slice(4)).join(' '))`
  const parent = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let line = ''
  for await (const chunk of parent.stdout.iterator({ destroyOnReturn: false })) {
    line += chunk
    if (line.endsWith('\n')) break
  }
  const groups = line.trim().split(' ').map(Number)
  expect(living(groups).length).toBeGreaterThan(4)
  parent.kill('SIGKILL')
  await expect.poll(() => living(groups), { timeout: 10_000 }).toEqual([])
  const next = await start('next', { clamav: await nobody() })
  expect(unpackingOf(parent.pid!)).toEqual([]) // the next start tidies up after the dead
  await next.stop()
})
