// The scanners of the embedded home as /readyz, /metrics and the log tell of them.
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { signatureDatabase } from '../../local/drill/signature-database.ts'
import { freePort } from '../../local/embedded/port.ts'
import { checkDatabase } from '../../local/scanner-checks.ts'
import { type EmbeddedScanners, startEmbeddedScanners } from '../../local/scanners.ts'
import { silentLog } from '../../src/platform/log.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { configOf } from '../platform/parse-config.ts'
import { accepted, mail, whole } from '../scan/messages.ts'
import { realRspamd } from '../scan/real-daemons.ts'

let dir: string
let scanners: EmbeddedScanners | undefined

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'elemta-scanners-'))
  chmodSync(dir, 0o755) // the daemons' own accounts must get through
})
afterEach(async () => {
  await scanners?.stop()
  scanners = undefined
  rmSync(dir, { recursive: true, force: true })
})

async function start(plugins: string, log = silentLog) {
  const metrics = createMetrics()
  const config = configOf(`hostname: mx.example.com\ndata_dir: ${dir}\nplugins: ${plugins}\n`)
  scanners = await startEmbeddedScanners({ config, log, metrics, onBack: () => {} })
  return { scanners, metrics }
}

const check = (name: string) => scanners?.checks().find(candidate => candidate.name === name)

test('the signatures’ version and date, the last update and the cool-down are told', async () => {
  const builtAt = new Date(Math.floor(Date.now() / 1000) * 1000 - 3600_000)
  const signatures = join(dir, 'daemons', 'clamd', 'signatures')
  mkdirSync(signatures, { recursive: true })
  writeFileSync(join(signatures, 'daily.cud'), signatureDatabase(27005, builtAt, ['Test.one:0:*:6f6e652d7669727573']))
  const mirror = createServer((_, response) => response.writeHead(429, { 'retry-after': '7200' }).end())
  mirror.listen(0, '127.0.0.1')
  await once(mirror, 'listening')
  const url = `http://127.0.0.1:${(mirror.address() as AddressInfo).port}`
  const { metrics } = await start(
    `[{ name: clamav, config: { port: ${await freePort()}, updates: { mirror: "${url}" } } }]`,
  )
  await expect.poll(() => check('clamav-updates')?.state, { timeout: 10_000 }).toBe('warning')
  expect(check('clamav-updates')?.detail).toContain('stay away')
  expect(check('clamav-database')).toMatchObject({ state: 'ok', detail: expect.stringContaining('signatures 27005') })
  const exported = () => metrics.registry.metrics()
  await expect.poll(exported, { timeout: 10_000 }).toMatch(/elemta_clamav_update_cooldown_until_timestamp [1-9]/)
  const text = await exported()
  expect(text).toContain('elemta_clamav_database_version 27005\n')
  expect(text).toContain(`elemta_clamav_database_updated_timestamp ${builtAt.getTime() / 1000}\n`)
  expect(text).toContain('elemta_clamav_update_success_timestamp 0\n')
  mirror.closeAllConnections()
  mirror.close()
})

test('signatures that are days old are a warning', () => {
  const now = Date.parse('2026-11-22T10:00:00Z')
  const version = { engine: '1.4.6', database: '27005', databaseBuiltAt: Date.parse('2026-11-17T09:00:00Z') }
  expect(checkDatabase(version, now)).toEqual({
    name: 'clamav-database',
    state: 'warning',
    detail: 'signatures 27005, built 2026-11-17T09:00:00.000Z, 5 days ago: newer viruses are not found',
  })
})

test('what is wrong with an rspamd of somebody else’s is a warning, and logged once', async () => {
  const zones = '  local-data: "10.113.0.203.zen.spamhaus.org. 60 IN A 127.255.255.254"'
  const rspamd = await realRspamd({ zones, rejectScore: 12 })
  const { host, port } = rspamd
  const lines: string[] = []
  const log = pino({ level: 'warn', messageKey: 'event' }, { write: (line: string) => lines.push(line) })
  const plugins = (rejectScore: number) =>
    `[{ name: rspamd, config: { host: ${host}, port: ${port}, managed: false, reject_score: ${rejectScore} } }]`

  const differs = await start(plugins(10), log)
  expect(check('rspamd-thresholds')).toBeUndefined() // nobody knows yet
  for (let n = 0; n < 2; n++) await differs.scanners.scanners[0]!.scan(accepted(), whole(mail('hello')))
  const thresholds = expect.stringMatching(
    /^rspamd rejects from 12 on, reject_score is 10: mail is taken for spam from 10/,
  )
  const lists = expect.stringMatching(/^lists refuse to answer .*\(RBL_SPAMHAUS_BLOCKED_OPENRESOLVER\).*DQS key$/)
  expect(check('rspamd-thresholds')).toEqual({ name: 'rspamd-thresholds', state: 'warning', detail: thresholds })
  expect(check('dns-lists')).toEqual({ name: 'dns-lists', state: 'warning', detail: lists })
  expect(lines.map(line => JSON.parse(line))).toEqual([
    expect.objectContaining({ event: 'rspamd-thresholds', detail: thresholds }),
    expect.objectContaining({ event: 'dns-lists', detail: lists }),
  ])
  await differs.scanners.stop()

  const agrees = await start(plugins(12))
  await agrees.scanners.scanners[0]!.scan(accepted({ client: { address: '203.0.113.11' } }), whole(mail('hello')))
  expect(check('rspamd-thresholds')).toBeUndefined()
  expect(check('dns-lists')).toBeUndefined()
  await rspamd.stop()
})
