// Starts that must not work, or must work all the same: the message says what is wrong and what to do, the exit code
// is one that service managers know, and nothing is touched that may be all that is left of somebody's mail.

import { once } from 'node:events'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { freePort } from '../../local/embedded/port.ts'
import { startGateway, temporaryDirectory, writeConfig } from './gateway.ts'
import { mail, send } from './mail.ts'
import { startProgram } from './program.ts'

async function directoryOfThisTest(): Promise<string> {
  const directory = await temporaryDirectory()
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** Starts a gateway that is expected to give up. */
async function failedStart(directory: string, config: Record<string, unknown> = {}) {
  const program = startProgram(['serve', '--config', await writeConfig(directory, config)])
  onTestFinished(() => void program.process.kill('SIGKILL'))
  return { code: await program.ended, errors: program.errors() }
}

test.each(['listeners', 'ops'] as const)('a port in use (%s): exit 69, with the port and what to do', async which => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  onTestFinished(() => void taken.close())
  const { port } = taken.address() as AddressInfo
  const address = { address: '127.0.0.1', port }
  const config = which === 'ops' ? { ops: address } : { listeners: [{ ...address, mode: 'mx' }] }
  const { code, errors } = await failedStart(await directoryOfThisTest(), config)
  expect(code).toBe(69)
  expect(errors).toMatch(new RegExp(`127\\.0\\.0\\.1(:| port )${port}\\b`))
  expect(errors).toMatch(/in use.*(stop|choose)/)
  expect(errors).not.toContain('    at ')
})

test('a damaged database: a clear error, and every octet is left as it is', async () => {
  const directory = await directoryOfThisTest()
  const first = await startGateway({ directory })
  await first.settled((await send(first.port, { content: mail() })).queueId, 'delivered')
  await first.stop()
  const data = join(directory, 'data')
  const database = join(data, (await readdir(data)).find(name => /\.(db|sqlite)$/.test(name))!)
  const octets = await readFile(database)
  octets.fill(0xaa, 4096, 3 * 4096)
  await writeFile(database, octets)
  const before = await readAll(data)
  const { code, errors } = await failedStart(directory)
  expect(code).not.toBe(0)
  expect(typeof code).toBe('number')
  expect(errors).toContain(database)
  expect(errors).toMatch(/damaged.*left as it is/s)
  expect(errors).toMatch(/backup|move it aside/)
  expect(errors).not.toContain('    at ')
  expect(await readAll(data)).toMatchObject(before)
})

test('a file that is no database at all is not touched either', async () => {
  const directory = await directoryOfThisTest()
  const first = await startGateway({ directory })
  await first.stop()
  const data = join(directory, 'data')
  const database = join(data, (await readdir(data)).find(name => /\.(db|sqlite)$/.test(name))!)
  await writeFile(database, 'Dear diary, this was never a database.\n'.repeat(300))
  const { code, errors } = await failedStart(directory)
  expect(code).not.toBe(0)
  expect(errors).toContain(database)
  expect(await readFile(database, 'utf8')).toMatch(/^Dear diary/)
})

test('a second gateway on the same data directory is refused, and the first goes on', async () => {
  const directory = await directoryOfThisTest()
  await using gateway = await startGateway({ directory })
  const { code, errors } = await failedStart(directory)
  expect(code).not.toBe(0)
  expect(errors).toMatch(/another Elemta process works on this data directory/)
  const { queueId } = await send(gateway.port, { content: mail() })
  await gateway.settled(queueId, 'delivered')
})

test('a wrong configuration: exit 78, with file, line and the key that was meant', async () => {
  const directory = await directoryOfThisTest()
  const { code, errors } = await failedStart(directory, { hostnam: 'mx.example.com' })
  expect(code).toBe(78)
  expect(errors).toMatch(/elemta\.yaml:\d+/)
  expect(errors).toContain('hostname')
  expect(await readdir(directory)).toEqual(['elemta.yaml'])
})

test('without the packages: it starts, names them, accepts mail, and passes none unscanned', async () => {
  const config = {
    plugins: [
      { name: 'clamav', config: { port: await freePort() } },
      { name: 'rspamd', config: { port: await freePort() } },
    ],
  }
  await using gateway = await startGateway({ config, within: WITHOUT_PACKAGES })
  const { warning } = await gateway.log(line => line.event === 'warning' && /clamd/.test(String(line.warning)))
  expect(warning).toMatch(/apt-get install .*clamav-daemon/)
  await gateway.log(line => line.event === 'warning' && /rspamd redis-server unbound/.test(String(line.warning)))
  await expect.poll(gateway.errors).toContain('WARNING')
  const { code, queueId } = await send(gateway.port, { content: mail() })
  expect(code).toBe(250)
  const { events } = await gateway.settled(queueId, 'deferred')
  expect(events.at(-1)).toMatchObject({ why: expect.stringContaining('ClamAV could not scan (unreachable)') })
  expect(await gateway.maildir()).toEqual([])
  expect((await gateway.readyz()).status).toBe(503)
})

/** Runs a program on a machine on which nothing of the scanners' packages can be executed. */
const WITHOUT_PACKAGES = `exec unshare -rm bash -c '
  PATH=$PATH:/usr/sbin:/sbin
  for program in clamd rspamd redis-server unbound; do
    for file in $(type -aP "$program"); do mount --bind /dev/null "$file"; done
  done
  exec "$@"' bash "$@"`

async function readAll(directory: string): Promise<Record<string, string>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const files = entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
  return Object.fromEntries(
    await Promise.all(files.map(async file => [file, (await readFile(file)).toString('base64')] as const)),
  )
}
