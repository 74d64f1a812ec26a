// Rspamd asked for real: what it makes of the envelope that we tell it, and what it cannot look at.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../../local/embedded/port.ts'
import type { Finding } from '../../src/mail/verdict.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { createRspamd } from '../../src/scan/rspamd.ts'
import type { Scanner } from '../../src/scan/scanner.ts'
import { accepted, bigMail, GTUBE, mail, mailWith, stored, whole } from './messages.ts'
import { type RealRspamd, realRspamd } from './real-daemons.ts'

const ZONES = `  local-zone: "good.test." static
  local-data: 'good.test. 60 IN TXT "v=spf1 ip4:203.0.113.10 -all"'
  local-data: "good.test. 60 IN MX 10 mx.good.test."
  local-data: "mx.good.test. 60 IN A 203.0.113.10"
  local-data: '_dmarc.good.test. 60 IN TXT "v=DMARC1; p=reject"'`
const MAX_MESSAGE = 50 * 1024 * 1024
const HOSTNAME = 'mx.example.com'
const TIMEOUT = 15_000

const metrics = createMetrics()
let daemon: RealRspamd
let rspamd: Scanner

beforeAll(async () => {
  daemon = await realRspamd({ zones: ZONES, messageBytes: MAX_MESSAGE })
  rspamd = createRspamd({ host: daemon.host, port: daemon.port, hostname: HOSTNAME, timeout: TIMEOUT, metrics })
}, 120_000)

afterAll(() => daemon?.stop())

type Scored = Extract<Finding, { kind: 'scored' }>

async function scored(octets: Buffer, message = accepted(), scanner = rspamd): Promise<Scored> {
  const finding = await scanner.scan(message, whole(octets))
  if (finding.kind !== 'scored') throw new Error(JSON.stringify(finding))
  return finding
}

describe('findings', () => {
  test('an ordinary message has a low score and symbols', async () => {
    const finding = await scored(mail('Shall we meet on Thursday?'))
    expect(finding).toMatchObject({ scanner: 'rspamd', action: 'no action', requiredScore: 15 })
    expect(finding.score).toBeLessThan(4)
    expect(finding.symbols).toMatchObject({ R_SPF_ALLOW: expect.any(Number), DMARC_POLICY_ALLOW: expect.any(Number) })
  })

  test('GTUBE is to be rejected', async () => {
    expect(await scored(mail(GTUBE))).toMatchObject({ action: 'reject', score: 15, symbols: { GTUBE: 0 } })
  })

  test.each([
    ['Y', 'add header'],
    ['Z', 'rewrite subject'],
  ])('GTUBE with %s is for: %s', async (letter, action) => {
    expect(await scored(mail(GTUBE.replace('X', letter)))).toMatchObject({ action })
  })

  test('its header fields are passed on, in our name', async () => {
    const { headers } = await scored(mail('hello'))
    const [results] = headers.filter(({ name }) => name === 'Authentication-Results')
    expect(results?.value).toMatch(/^mx\.example\.com;\s/)
    expect(results?.value).toContain('spf=pass')
  })

  test('an empty message has a score', async () => {
    await scored(Buffer.alloc(0))
  })

  test('a message that comes in pieces is scanned to its end', async () => {
    const before = mailWith(Buffer.alloc(700_000, 'a line of text\r\n'), 'notes.bin')
      .toString()
      .replace(/--part--\r\n$/, '')
    const octets = Buffer.from(`${before}--part\r\nContent-Type: text/plain\r\n\r\n${GTUBE}\r\n--part--\r\n`)
    expect(await rspamd.scan(accepted(), stored(octets))).toMatchObject({ action: 'reject' })
  })
})

describe('the envelope', () => {
  test('SPF is checked for the client that we saw, not for one that the message names', async () => {
    const forged =
      'Received: from mx.good.test (mx.good.test [203.0.113.10]) by mx.example.com; Sat, 21 Nov 2026 10:00:00 +0000'
    const message = accepted({ client: { address: '198.51.100.7' } })
    const { symbols } = await scored(mail('hello', [forged]), message)
    expect(symbols).toHaveProperty('R_SPF_FAIL')
    expect(symbols).not.toHaveProperty('R_SPF_ALLOW')
  })

  test('SPF is checked for the reverse-path, also when its local part is not ASCII', async () => {
    const envelope = { reversePath: 'müller@good.test', smtputf8: true }
    const { symbols } = await scored(mail('hello'), accepted({ envelope, recipients: ['bjørn@example.com'] }))
    expect(symbols).toHaveProperty('R_SPF_ALLOW')
    expect(symbols).toHaveProperty('RCPT_COUNT_ONE')
  })

  test('a client over IPv6 and a null sender are understood', async () => {
    const message = accepted({ client: { address: '2001:db8::7' }, envelope: { reversePath: '' } })
    expect((await scored(mail('hello'), message)).symbols).not.toHaveProperty('R_SPF_ALLOW')
  })

  test('a client without a looked-up name is not taken for one that has none', async () => {
    expect((await scored(mail('hello'))).symbols).not.toHaveProperty('HFILTER_HOSTNAME_UNKNOWN')
  })

  test('an authenticated user is spared SPF', async () => {
    const client = { address: '198.51.100.7', user: 'anna' }
    expect((await scored(mail('hello'), accepted({ client }))).symbols).not.toHaveProperty('R_SPF_FAIL')
  })

  test('what a client says cannot become a header field of the request', async () => {
    const client = { address: '198.51.100.7', helo: 'x\r\nUser: anna\r\nIP: 203.0.113.10\0\ud800é' }
    const { symbols } = await scored(mail('hello'), accepted({ client }))
    expect(symbols).toHaveProperty('R_SPF_FAIL')
  })

  test('a thousand recipients and odd ones are told', async () => {
    const recipients = Array.from({ length: 1000 }, (_, n) => `"r ${n}, \\"x\\""@example.com`)
    const { symbols } = await scored(mail('hello'), accepted({ recipients: [...recipients, 'postmaster'] }))
    expect(symbols).toHaveProperty('RCPT_COUNT_ONE') // in To:
  })
})

describe('rspamd itself', () => {
  test('scans on the port of its controller too', async () => {
    const { host, controllerPort: port } = daemon
    const controller = createRspamd({ host, port, hostname: HOSTNAME, timeout: TIMEOUT, metrics })
    expect(await scored(mail(GTUBE), accepted(), controller)).toMatchObject({ action: 'reject' })
    const { symbols, headers } = await scored(mail('Shall we meet?'), accepted(), controller)
    expect(symbols).toHaveProperty('R_SPF_ALLOW')
    expect(headers).toContainEqual(expect.objectContaining({ name: 'Authentication-Results' }))
  })

  test('breaks off what exceeds its max_message: too large, not a crash', async () => {
    const octets = Buffer.alloc(60_000_000, 'a line of text\r\n')
    for (const content of [whole(octets), stored(octets)]) {
      expect(await rspamd.scan(accepted(), content)).toEqual({
        scanner: 'rspamd',
        kind: 'could-not-scan',
        failure: 'too-large',
        detail: `60000000 octets are more than rspamd at 127.0.0.1:${daemon.port} takes (52428800, max_message)`,
      })
    }
  })

  test('is not asked about what is known to be too large', async () => {
    const port = await freePort()
    const nobody = createRspamd({ host: '127.0.0.1', port, maxSize: 9, timeout: TIMEOUT, metrics })
    expect(await nobody.scan(accepted(), whole(Buffer.alloc(10)))).toMatchObject({ failure: 'too-large' })
    expect(await nobody.scan(accepted(), whole(Buffer.alloc(9)))).toMatchObject({ failure: 'unreachable' })
  })

  test('scans a large message', async () => {
    expect(await rspamd.scan(accepted(), stored(bigMail(10_000_000)))).toMatchObject({ kind: 'scored' })
  })

  test('answers ping; one that is down is unreachable', async () => {
    expect(await rspamd.ping()).toEqual({ ok: true, detail: `rspamd at 127.0.0.1:${daemon.port} answers` })
    const port = await freePort()
    const down = createRspamd({ host: '127.0.0.1', port, timeout: TIMEOUT, metrics })
    const detail = `rspamd at 127.0.0.1:${port}: connection refused`
    expect(await down.ping()).toEqual({ ok: false, detail })
    const finding = { scanner: 'rspamd', kind: 'could-not-scan', failure: 'unreachable', detail }
    expect(await down.scan(accepted(), whole(mail('hello')))).toEqual(finding)
  })
})

test('scans, scores, actions and failures are counted', async () => {
  const own = createMetrics()
  const counted = createRspamd({
    host: daemon.host,
    port: daemon.port,
    maxSize: 10_000,
    timeout: TIMEOUT,
    metrics: own,
  })
  await counted.scan(accepted(), whole(mail('hello')))
  await counted.scan(accepted(), whole(mail(GTUBE)))
  await counted.scan(accepted(), whole(Buffer.alloc(10_001)))
  const text = await own.registry.metrics()
  expect(text).toContain('elemta_rspamd_scans_total 3\n')
  expect(text).toContain('elemta_rspamd_ham_total 1\n')
  expect(text).toContain('elemta_rspamd_spam_total 1\n')
  expect(text).toContain('elemta_rspamd_score_count 2\n')
  expect(text).toContain('elemta_rspamd_actions_total{action="reject"} 1\n')
  expect(text).toContain('elemta_rspamd_actions_total{action="no action"} 1\n')
  expect(text).toContain('elemta_rspamd_scan_errors_total{failure="too-large"} 1\n')
  expect(text).toContain('elemta_rspamd_scan_duration_seconds_count 3\n')
})
