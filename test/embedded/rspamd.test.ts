// What our own rspamd takes from config/elemta.yaml: where its controller listens, and from which score on it rejects.
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { readController } from '../../local/embedded/controller-file.ts'
import { type RspamdSettings, startDaemons } from '../../local/embedded/daemons.ts'
import { freePort } from '../../local/embedded/port.ts'
import { rspamdAnswers } from '../../local/embedded/probe.ts'
import { silentLog } from '../../src/platform/log.ts'

const root = mkdtempSync(join(tmpdir(), 'elemta-rspamd-'))
chmodSync(root, 0o755) // the daemons' own accounts must get through
afterAll(() => rmSync(root, { recursive: true, force: true }))

vi.setConfig({ testTimeout: 90_000 }) // rspamd may have to compile its patterns

async function start(name: string, settings: Partial<RspamdSettings>) {
  const dataDir = join(root, name)
  mkdirSync(dataDir)
  const scanners = { rspamd: { host: '127.0.0.1', port: await freePort(), ...settings } }
  const rspamd = { hyperscanDir: '/var/tmp/elemta-hyperscan', zones: '', ephemeral: true }
  return startDaemons({ dataDir, scanners, messageSize: 1024, log: silentLog, rspamd })
}

test('rspamd’s controller is where the configuration wants it, and a file tells where that is', async () => {
  const port = await freePort()
  const own = await start('controller', { controller_port: port })
  const dataDir = join(root, 'controller')
  expect(readController(dataDir)).toEqual({ host: '127.0.0.1', port })
  expect(await rspamdAnswers('127.0.0.1', port)).toBe(true)
  const second = await start('second', { controller_port: port })
  expect(readController(join(root, 'second'))?.port).not.toBe(port) // taken
  await second.stop()
  await own.stop()
  expect(readController(dataDir)).toBeUndefined()
})

test('rspamd rejects from reject_score on, and tags from the same share of it as ever', async () => {
  const own = await start('strict', { reject_score: 5 })
  const { port } = readController(join(root, 'strict'))!
  const actions = await (await fetch(`http://127.0.0.1:${port}/actions`)).json()
  expect(actions).toEqual(
    expect.arrayContaining([
      { action: 'reject', value: 5 },
      { action: 'add header', value: 2 },
    ]),
  )
  expect(actions).not.toContainEqual(expect.objectContaining({ action: 'greylist', value: expect.any(Number) }))
  await own.stop()
})
