// The real freshclam beside the real clamd, with a mirror on this machine: newer signatures are loaded while clamd goes
// on, and a mirror that says 429 or 403, or nothing, is left alone.
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { signatureDatabase } from '../../local/drill/signature-database.ts'
import { type Clamd, startClamd } from '../../local/embedded/clamd.ts'
import type { UpdateSettings } from '../../local/embedded/freshclam.ts'
import { findProgram } from '../../local/embedded/program.ts'
import { silentLog } from '../../src/platform/log.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { createClamav } from '../../src/scan/clamav.ts'
import { accepted, EICAR, whole } from '../scan/messages.ts'

const HOUR = 3600_000
const YESTERDAY = new Date('2026-11-20T10:00:00Z')
const TODAY = new Date('2026-11-21T10:00:00Z')

let dir: string
let mirror: Server
let url: string
let clamd: Clamd | undefined
let files: Record<string, { content: Buffer; times: number }> // it is new so many times
let refusal: { status: number; retryAfter?: number } | undefined
let requests: string[]

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'elemta-freshclam-'))
  chmodSync(dir, 0o755)
  files = {}
  refusal = undefined
  requests = []
  mirror = createServer((request, response) => {
    requests.push(request.url ?? '')
    const file = files[request.url ?? '']
    if (refusal !== undefined) {
      const { status, retryAfter } = refusal
      response.writeHead(status, retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }).end()
    } else if (file === undefined) response.writeHead(404).end()
    else if (file.times-- > 0) response.end(file.content)
    else response.writeHead(304).end()
  }).listen(0, '127.0.0.1')
  await once(mirror, 'listening')
  url = `http://127.0.0.1:${(mirror.address() as AddressInfo).port}`
})

afterEach(async () => {
  await clamd?.stop()
  mirror.closeAllConnections()
  mirror.close()
  rmSync(dir, { recursive: true, force: true })
})

function publish(version: number, built: Date, ...words: string[]) {
  const signatures = words.map(word => `Test.${word}:0:*:${Buffer.from(`${word}-virus-${word}`).toString('hex')}`)
  files['/daily.cud'] = {
    content: signatureDatabase(version, built, signatures),
    times: 1,
  }
}

async function start(updates: Partial<UpdateSettings>) {
  const interval = HOUR
  clamd = await startClamd({ dir, streamMaxBytes: 1024 * 1024, updates: { interval, ...updates }, log: silentLog })
  const clamav = createClamav({ host: clamd.host, port: clamd.port, timeout: 10_000, metrics: createMetrics() })
  return {
    clamav,
    updates: () => clamd!.updates()!,
    scan: (text: string) => clamav.scan(accepted(), whole(Buffer.from(text))),
  }
}

/** Our own database alone: nothing is signed as ClamAV's are. */
const custom = () => ({ official: false, databases: [`${url}/daily.cud`] })

test('at the first start: EICAR alone, until the signatures have come; newer ones replace them', async () => {
  publish(27001, YESTERDAY, 'one')
  const first = await start(custom())
  expect(await first.scan(EICAR)).toMatchObject({ kind: 'virus' })
  await expect.poll(() => clamd!.testSignatures(), { timeout: 10_000 }).toBe(false)
  await expect.poll(() => first.scan('one-virus-one'), { timeout: 10_000 }).toMatchObject({ signature: 'Test.one' })
  expect(await first.scan('two-virus-two')).toMatchObject({ kind: 'clean' })
  expect(await first.clamav.version()).toMatchObject({ database: '27001', databaseBuiltAt: YESTERDAY.getTime() })
  expect(first.updates()).toMatchObject({ ok: true, succeededAt: expect.any(Number) })
  await clamd!.stop()

  publish(27002, TODAY, 'one', 'two')
  const next = await start({ ...custom(), interval: 1 }) // it is time already
  await expect.poll(() => next.scan('two-virus-two'), { timeout: 10_000 }).toMatchObject({ signature: 'Test.two' })
  expect(await next.clamav.version()).toMatchObject({ database: '27002', databaseBuiltAt: TODAY.getTime() })
  expect(await next.scan(EICAR)).toMatchObject({ kind: 'virus' })
})

test('scans go on while newer signatures are loaded', async () => {
  publish(27001, YESTERDAY, 'one')
  const { scan } = await start({ ...custom(), interval: 200 })
  await expect.poll(() => scan('one-virus-one'), { timeout: 10_000 }).toMatchObject({ kind: 'virus' })
  publish(27002, TODAY, 'one', 'two')
  for (let kind = ''; kind !== 'virus'; ) {
    expect(await scan('one-virus-one')).toMatchObject({ signature: 'Test.one' })
    ;({ kind } = await scan('two-virus-two'))
    expect(['clean', 'virus']).toContain(kind)
  }
})

test.each([
  ['ClamAV’s own signatures', 403, undefined, 24 * HOUR, () => ({ mirror: url })],
  ['another database', 429, 7200, 2 * HOUR, custom],
])('for %s: who answers %i is left alone for as long as it asks, also after a restart', async (...about) => {
  const [, status, retryAfter, wait, settings] = about
  refusal = { status, ...(retryAfter && { retryAfter }) }
  const { updates, scan } = await start({ ...settings(), interval: 1 })
  await expect
    .poll(() => updates().cooldownUntil ?? 0, { timeout: 10_000 })
    .toBeGreaterThan(Date.now() + wait - HOUR / 4)
  expect(updates()).toMatchObject({ ok: false, detail: expect.stringMatching(/stay away.* until 20.*never updated/) })
  expect(clamd!.testSignatures()).toBe(true)
  expect(await scan(EICAR)).toMatchObject({ kind: 'virus' })
  await clamd!.stop()
  const attempts = readFileSync(join(dir, 'clamd', 'updates.json'), 'utf8')
  const asked = requests.length
  const again = await start({ ...settings(), interval: 1 })
  expect(again.updates().cooldownUntil).toBeGreaterThan(Date.now())
  expect(await again.scan(EICAR)).toMatchObject({ kind: 'virus' })
  expect(readFileSync(join(dir, 'clamd', 'updates.json'), 'utf8')).toBe(attempts)
  expect(requests).toHaveLength(asked)
})

test('a mirror that is not there is a failure that is told, and clamd goes on', async () => {
  const { updates, scan } = await start({ mirror: 'http://127.0.0.1:1' })
  await expect.poll(() => updates().ok, { timeout: 10_000 }).toBe(false)
  expect(updates().detail).toMatch(/failed \(1 in a row\): .*connect to server.*; never updated, next try/)
  expect(await scan(EICAR)).toMatchObject({ kind: 'virus' })
})

test('a database that is broken is not taken', async () => {
  publish(27001, YESTERDAY, 'one')
  const { scan, updates } = await start(custom())
  await expect.poll(() => scan('one-virus-one'), { timeout: 10_000 }).toMatchObject({ kind: 'virus' })
  // clamd may have loaded it before freshclam has said its last word.
  await expect.poll(() => updates().succeededAt, { timeout: 10_000 }).toBeGreaterThan(0)
  await clamd!.stop()
  const { content } = files['/daily.cud']!
  files['/daily.cud'] = { content: content.subarray(0, 600), times: Number.POSITIVE_INFINITY }
  const next = await start({ ...custom(), interval: 1 })
  await expect.poll(() => next.updates().ok, { timeout: 10_000 }).toBe(false)
  expect(await next.scan('one-virus-one')).toMatchObject({ kind: 'virus' })
})

test('without freshclam clamd runs, and that is a problem with a package’s name', async () => {
  const bin = join(dir, 'bin')
  mkdirSync(bin)
  symlinkSync(findProgram('clamd', 'clamav-daemon'), join(bin, 'clamd'))
  clamd = await startClamd({ dir, streamMaxBytes: 1024, updates: { interval: HOUR }, searchPath: bin, log: silentLog })
  expect(clamd.without).toMatchObject([{ message: 'freshclam is not installed (Debian: clamav-freshclam)' }])
  expect(clamd.updates()).toBeUndefined()
})
