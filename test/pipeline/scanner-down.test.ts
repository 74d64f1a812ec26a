// Scanners in trouble: mail is accepted and waits, or does what on_error says; nothing passes unscanned unawares, and
// when a scanner is back the waiting mail is scanned at once.
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, inject, onTestFinished, test } from 'vitest'
import { startClamd } from '../../local/embedded/clamd.ts'
import { freePort } from '../../local/embedded/port.ts'
import { silentLog } from '../../src/platform/log.ts'
import { startGateway } from './gateway.ts'
import { EICAR, mail, mailWithAttachment, readMail, send } from './mail.ts'
import { withScanners } from './scanners.ts'

/** Long enough that only the scanner's return can end a wait. */
const scan = { retry_schedule: ['1h'] }

async function nobody() {
  return { host: '127.0.0.1', port: await freePort() }
}

/** A clamd of this test's own on a given port. */
async function ownClamd(port: number, streamMaxBytes = 26 * 1024 * 1024) {
  const dir = mkdtempSync(join(tmpdir(), 'elemta-clamd-'))
  chmodSync(dir, 0o755) // its account must get through
  const clamd = await startClamd({ dir, port, streamMaxBytes, log: silentLog })
  onTestFinished(async () => {
    await clamd.stop()
    rmSync(dir, { recursive: true, force: true })
  })
  return clamd
}

test('while ClamAV is down mail is accepted and waits; once it is back it is scanned and delivered at once', async () => {
  const clamav = await nobody()
  await using gateway = await startGateway({ config: { ...withScanners(clamav, inject('rspamd')), scan } })
  const clean = await send(gateway.port, { content: mail() })
  const infected = await send(gateway.port, { content: mailWithAttachment('a.com', Buffer.from(EICAR)) })
  expect([clean.code, infected.code]).toEqual([250, 250])
  const waiting = await gateway.settled(clean.queueId, 'deferred')
  await gateway.settled(infected.queueId, 'deferred')
  expect(waiting.events.at(-1)).toMatchObject({
    event: 'deferred',
    stage: 'scan',
    why: expect.stringMatching(/^ClamAV could not scan \(unreachable\)/),
  })
  expect(await gateway.maildir()).toEqual([])
  expect(await gateway.metric('elemta_scanner_up{scanner="clamav"}')).toBe(0)
  expect(await gateway.metric('elemta_scanner_up{scanner="rspamd"}')).toBe(1)
  expect(await gateway.metric('elemta_clamav_scan_errors_total{failure="unreachable"}')).toBe(2)
  expect(await gateway.metric('elemta_queue_size{queue_type="deferred"}')).toBe(2)
  const { status, body } = await gateway.readyz()
  expect(status).toBe(503)
  expect(body.checks.filter(({ state }) => state === 'failed').map(({ name }) => name)).toContain('clamav')
  expect(await gateway.ledger()).toMatchObject({ accepted: 2, queued: { deferred: 2 }, imbalance: 0 })

  await ownClamd(clamav.port)
  await gateway.settled(clean.queueId, 'delivered')
  await gateway.settled(infected.queueId, 'quarantined')
  expect((await gateway.maildir()).map(readMail).map(({ field }) => field('X-Virus-Status'))).toEqual([['Clean']])
  expect(await gateway.metric('elemta_scanner_up{scanner="clamav"}')).toBe(1)
  expect(await gateway.ledger()).toMatchObject({ accepted: 2, delivered: 1, quarantined: 1, imbalance: 0 })
})

test('a clamd that dies in the middle is noticed, started again, and loses nothing', async () => {
  await using gateway = await startGateway({
    config: { ...withScanners({ managed: true, timeout: '5s', updates: { enabled: false } }), scan },
  })
  const started = await gateway.log(line => line.event === 'child-started' && line.child === 'clamd')
  const first = await send(gateway.port, { content: mail() })
  await gateway.settled(first.queueId, 'delivered')
  process.kill(Number(started.pid), 'SIGKILL')
  await gateway.log(line => line.event === 'child-died')
  const sent = await Promise.all(Array.from({ length: 5 }, () => send(gateway.port, { content: mail() })))
  await gateway.log(line => line.event === 'child-started' && line.pid !== started.pid)
  for (const { queueId } of sent) await gateway.settled(queueId, 'delivered')
  expect(await gateway.maildir()).toHaveLength(6)
  expect((await gateway.readyz()).body.checks.filter(({ state }) => state === 'failed')).toEqual([])
  expect(await gateway.ledger()).toMatchObject({ accepted: 6, delivered: 6, imbalance: 0 })
})

test('a clamd that is gone for a moment only does not keep mail waiting', async () => {
  const clamd = await ownClamd(await freePort())
  const config = { ...withScanners({ host: '127.0.0.1', port: clamd.port }), scan }
  await using gateway = await startGateway({ config })
  await clamd.stop()
  const { queueId } = await send(gateway.port, { content: mail() })
  await gateway.settled(queueId, 'deferred')
  await ownClamd(clamd.port)
  await gateway.settled(queueId, 'delivered')
  expect(gateway.logged('scanner-down')).toHaveLength(1)
  expect(gateway.logged('scanner-up')).toHaveLength(1)
})

test('a clamd that hangs makes mail wait, not pass', async () => {
  const { port, status } = await ownClamd(await freePort())
  const config = { ...withScanners({ host: '127.0.0.1', port, timeout: '300ms' }), scan }
  await using gateway = await startGateway({ config })
  expect((await gateway.readyz()).status).toBe(200)
  const pid = Number(/^pid (\d+)$/.exec(status()[0]!.detail)?.[1])
  process.kill(pid, 'SIGSTOP')
  const { queueId } = await send(gateway.port, { content: mail() })
  const { events } = await gateway.settled(queueId, 'deferred')
  process.kill(pid, 'SIGCONT')
  expect(events.at(-1)).toMatchObject({ why: expect.stringMatching(/^ClamAV could not scan \(timeout\)/) })
  expect(await gateway.maildir()).toEqual([])
  expect(await gateway.metric('elemta_clamav_scan_errors_total{failure="timeout"}')).toBe(1)
})

test('while Rspamd is down mail is delivered with a word that it was not scanned; ClamAV still counts', async () => {
  await using gateway = await startGateway({ config: withScanners(inject('clamav'), await nobody()) })
  const clean = await send(gateway.port, { content: mail() })
  const infected = await send(gateway.port, { content: mailWithAttachment('a.com', Buffer.from(EICAR)) })
  await gateway.settled(clean.queueId, 'delivered')
  await gateway.settled(infected.queueId, 'quarantined')
  const [file] = await gateway.maildir()
  expect(readMail(file!).field('X-Spam-Status')).toEqual(['Unknown, not scanned (unreachable)'])
  expect(readMail(file!).field('X-Virus-Status')).toEqual(['Clean'])
  expect(await gateway.metric('elemta_verdicts_total{decision="tag"}')).toBe(1)
  expect(await gateway.metric('elemta_rspamd_scan_errors_total{failure="unreachable"}')).toBe(2)
  expect((await gateway.readyz()).status).toBe(503)
})

test('on_error: hold keeps mail for an operator', async () => {
  await using gateway = await startGateway({
    config: withScanners({ ...(await nobody()), on_error: 'hold' }, { ...inject('rspamd'), on_error: 'hold' }),
  })
  const { queueId } = await send(gateway.port, { content: mail() })
  const { events } = await gateway.settled(queueId, 'held')
  expect(events.at(-1)).toMatchObject({ event: 'held', why: expect.stringMatching(/^ClamAV could not scan/) })
  expect(await gateway.maildir()).toEqual([])
  expect(await gateway.ledger()).toMatchObject({ accepted: 1, held: 1, imbalance: 0 })
})

test('a message beyond what ClamAV takes is never clean', async () => {
  const clamd = await ownClamd(await freePort(), 1024 * 1024)
  const config = { ...withScanners({ host: '127.0.0.1', port: clamd.port }), scan }
  await using gateway = await startGateway({ config })
  const { queueId } = await send(gateway.port, { content: mail({ body: `${'x'.repeat(70)}\r\n`.repeat(30_000) }) })
  const { events } = await gateway.settled(queueId, 'deferred')
  expect(events.at(-1)).toMatchObject({ why: expect.stringMatching(/^ClamAV could not scan \(too-large\)/) })
  expect(await gateway.maildir()).toEqual([])
})
