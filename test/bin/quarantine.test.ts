// `elemta quarantine` and `elemta clamav` on the data directory of a gateway that does not run.
import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openEmbedded, openEmbeddedReadOnly } from '../../src/backends.ts'
import type { TraceEvent } from '../../src/mail/record.ts'
import { readLedger } from '../../src/spool/ledger.ts'
import { temporaryDirectory, writeConfig } from '../pipeline/gateway.ts'
import { elemta } from '../pipeline/program.ts'
import { storeMessage } from '../storage/stored-message.ts'

const [A, B] = ['a@example.com', 'b@example.com'] as const
const HTML = 'Subject: \x1b[2Jhello\r\nContent-Type: text/html\r\n\r\n<a href="http://evil.example">bank</a>\x9b2J\r\n'

let directory: string
let queueId: string
beforeEach(async () => {
  directory = await temporaryDirectory()
  await writeConfig(directory)
  const backends = await openEmbedded({ dataDir: join(directory, 'data'), now: Date.now })
  queueId = await storeMessage(backends, { recipients: [A, B], content: HTML })
  const event: TraceEvent = { at: Date.now(), event: 'quarantined', recipients: [A, B], why: 'Win.Test (ClamAV)' }
  const changes = [A, B].map(recipient => ({ recipient, state: 'quarantined' as const }))
  await backends.records.note(queueId, [event], changes)
  await backends.close()
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const run = (...args: string[]) => elemta(...args, '--config', join(directory, 'elemta.yaml'))

test('lists by recipient and shows as text that steers no terminal', async () => {
  const { stdout: listed } = await run('quarantine', 'list', '--why', 'win.test')
  expect(listed).toMatch(
    new RegExp(
      `^${queueId}  .* <sender@example.org> <${A}>  ".*hello"  \\(Win\\.Test \\(ClamAV\\)\\)\n${queueId}  .*<${B}>`,
    ),
  )
  expect((await run('quarantine', 'list', '--domain', 'other.example')).stdout).toBe('')
  const { stdout: shown, code } = await run('quarantine', 'show', queueId.toLowerCase())
  expect(code).toBe(0)
  expect(shown).toContain('\n  | bank <http://evil.example>')
  expect(listed + shown).not.toMatch(/[^\P{Cc}\n]/u)
})

test('a release that nobody delivers yet is not told as one', async () => {
  const { stdout, code } = await run('quarantine', 'release', queueId, '--to', A, '--wait', '0s')
  expect(stdout).toBe(`${queueId}  <${A}>  queued, not delivered yet\n`)
  expect(code).toBe(75)
  expect((await stat(join(directory, 'data', 'release.key'))).mode & 0o777).toBe(0o600)
  const again = await run('quarantine', 'release', queueId, '--to', A, '--wait', '0s')
  expect(again).toMatchObject({ code: 66, stderr: expect.stringContaining('queued already') })
  const reader = await openEmbeddedReadOnly({ dataDir: join(directory, 'data'), now: Date.now })
  expect(await readLedger(reader)).toMatchObject({ quarantined: 1, queued: { incoming: 1 }, imbalance: 0 })
  reader.close()
})

test.each<[what: string, args: string[], code: number]>([
  ['nothing named', ['quarantine', 'release'], 64],
  ['an unknown id', ['quarantine', 'discard', '1M80Y3EVSG143VFRRFEF'], 66],
  ['what is no id', ['quarantine', 'show', '../x'], 66],
  ['a duration that is none', ['quarantine', 'list', '--since', 'yesterday'], 64],
  ['a signature that is none', ['clamav', 'ignore', 'a b', '--for', '1h'], 64],
  ['no time', ['clamav', 'ignore', 'Bad.Sig'], 64],
  ['for no time', ['clamav', 'ignore', 'Bad.Sig', '--for', '0s'], 64],
  ['what is not ignored', ['clamav', 'unignore', 'Bad.Sig'], 1],
])('%s: the exit code says so', async (_, args, code) => {
  expect((await run(...args)).code).toBe(code)
})
