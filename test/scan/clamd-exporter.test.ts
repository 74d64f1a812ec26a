// The ClamAV exporter against a real clamd whose database has a version and a date of our choosing.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { signatureDatabase } from '../../local/drill/signature-database.ts'
import { startClamd } from '../../local/embedded/clamd.ts'
import { freePort } from '../../local/embedded/port.ts'
import { silentLog } from '../../src/platform/log.ts'
import { scrapeClamd } from '../../src/scan/clamd-exporter.ts'
import { standIn } from './stand-in.ts'

async function samples(address: Readonly<{ host: string; port: number }>): Promise<Record<string, number>> {
  const text = await (await scrapeClamd(address)).metrics()
  const lines = text.split('\n').filter(line => /^clamav_/.test(line))
  return Object.fromEntries(lines.map(line => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]))
}

test('says what clamd says of itself, and nothing but its absence once it is gone', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'elemta-exporter-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  chmodSync(dir, 0o755)
  const signatures = join(dir, 'clamd', 'signatures')
  mkdirSync(signatures, { recursive: true })
  const builtAt = new Date('2026-03-02T05:00:00Z')
  writeFileSync(join(signatures, 'daily.cud'), signatureDatabase(27005, builtAt, ['Test.one:0:*:6f6e652d7669727573']))
  const clamd = await startClamd({ dir, streamMaxBytes: 1024 * 1024, log: silentLog })
  onTestFinished(() => clamd.stop())

  const told = await samples(clamd)
  expect(told).toMatchObject({
    clamav_up: 1,
    clamav_database_version: 27005,
    clamav_database_timestamp_seconds: builtAt.getTime() / 1000,
    clamav_queue_items: 0,
    'clamav_threads{state="live"}': 1,
    'clamav_threads{state="idle"}': 0,
  })
  expect(told['clamav_threads{state="max"}']).toBeGreaterThan(1)
  expect(told['clamav_memory_bytes{kind="pools_used"}']).toBeGreaterThan(1024)
  expect(Object.keys(told).filter(name => /^clamav_build_info\{engine="\d+\.\d+\.\d+"\}$/.test(name))).toHaveLength(1)

  await clamd.stop()
  expect(await samples(clamd)).toEqual({ clamav_up: 0 })
})

test('no clamd at all is one that is not up', async () => {
  expect(await samples({ host: '127.0.0.1', port: await freePort() })).toEqual({ clamav_up: 0 })
})

test.each(['POOLS: 1\n\nSTATE: VALID', 'PONG\0', '', 'ClamAV 1.4.6\0'])(
  'one that answers %j is not up',
  async answer => {
    await using server = await standIn(socket => socket.end(answer))
    expect(await samples({ host: '127.0.0.1', port: server.port })).toEqual({ clamav_up: 0 })
  },
)
