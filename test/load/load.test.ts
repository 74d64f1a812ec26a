// `elemta load` against a whole gateway with the real scanners: every kind is told what it must be told, the account
// adds up, and the gateway has received what was accepted.
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest'
import { freePort } from '../../local/embedded/port.ts'
import type { Account } from '../../local/load/account.ts'
import { type Gateway, startGateway, temporaryDirectory, writeConfig } from '../pipeline/gateway.ts'
import { elemta } from '../pipeline/program.ts'
import { withScanners } from '../pipeline/scanners.ts'
import { addUser } from '../pipeline/users.ts'

const USER = 'alice'
const PASSWORD = 'correct horse battery'
const clamav = { ...inject('clamav'), action: 'reject' }
const rspamd = { ...inject('rspamd'), action: 'reject' }
const loopback = (mode: string) => ({ address: '127.0.0.1', port: 0, mode })

let gateway: Gateway
beforeAll(async () => {
  const { plugins } = withScanners(clamav, rspamd)
  const recipients = { name: 'recipients', config: { addresses: ['load@example.com'] } }
  const greylist = { name: 'greylist', config: { delay: '300ms', allowlist: { senders: ['load@sender.example'] } } }
  const directory = await temporaryDirectory()
  const config = {
    listeners: [loopback('mx'), loopback('submission')],
    auth: { users_file: join(directory, 'users') },
    limits: { message_size: '1MB' },
    scan: { wait: '20s' },
    plugins: [recipients, greylist, ...plugins],
  }
  await addUser({ configFile: await writeConfig(directory, config) }, USER, PASSWORD, 'load@sender.example')
  gateway = await startGateway({ directory, config })
})
afterAll(() => gateway?.[Symbol.asyncDispose]())

type Result = Account & { received?: number; disagreed?: string }

async function load(...args: string[]) {
  const [mx, submission] = gateway.ports
  const where = ['--server', `127.0.0.1:${mx}`, '--submission', `127.0.0.1:${submission}`]
  const metrics = ['--metrics', `http://127.0.0.1:${gateway.opsPort}/metrics`]
  const { code, stdout, stderr } = await elemta('load', ...where, ...metrics, ...args)
  return { code, stdout, stderr }
}

test('all kinds: each is told what it must be, and both sides count the same', async () => {
  const mix = 'clean=6,gtube=1,eicar=1,greylist=1,unknown=1,big=1,slow=1,auth=1,submit=1'
  const expected = 'clean=250,gtube=554,eicar=554,greylist=250,unknown=550,big=552,slow=250,auth=535,submit=250'
  const login = ['--user', USER, '--password', PASSWORD]
  const amounts = ['--rate', '20/s', '--duration', '3s', '--big', '2MB', '--slow', '500ms', '--retry-after', '500ms']
  const { code, stdout, stderr } = await load('--mix', mix, '--expect', expected, ...login, ...amounts, '--json')
  expect(stderr).toBe('')
  const account = JSON.parse(stdout) as Result
  expect(account.unexpected).toEqual([])
  expect(code).toBe(0)
  expect(account).toMatchObject({ imbalance: 0, unanswered: {} })
  expect(account.received).toBe(account.accepted)
  const { greylist, clean } = account.kinds
  expect(greylist!.refused['450'] ?? greylist!.refused['451']).toBe(greylist!.accepted) // each was deferred once
  expect(account.sent).toBe(60 + greylist!.accepted)
  expect(clean!.latency!.p50).toBeGreaterThan(0)
  expect(clean!.latency!.max).toBeGreaterThanOrEqual(clean!.latency!.p99)
})

test('the same seed is the same load, another one another', async () => {
  const kinds = async (seed: string) => {
    const amounts = ['--rate', '40', '--duration', '1s', '--mix', 'clean=1,unknown=1', '--seed', seed, '--json']
    const { kinds } = JSON.parse((await load(...amounts)).stdout) as Result
    return [kinds.clean?.sent, kinds.unknown?.sent]
  }
  const [first, second, other] = [await kinds('7'), await kinds('7'), await kinds('10')]
  expect(second).toEqual(first)
  expect(other).not.toEqual(first)
})

test('an expectation that is not met ends with 1 and says so', async () => {
  const args = ['--rate', '10', '--duration', '500ms', '--mix', 'unknown=1', '--expect', 'unknown=250,clean=250']
  const { code, stdout } = await load(...args)
  expect(code).toBe(1)
  expect(stdout).toMatch(/^sent 5 = accepted 0 \+ refused 5 \+ not answered 0$/m)
  expect(stdout).toMatch(/^unknown: 5 refused with 550$/m)
  expect(stdout).toMatch(/^unknown: expected 250, got 550 \(550 5\.1\.1 .*\), \d times$/m)
  expect(stdout).toMatch(/^clean: none was sent$/m)
})

test('a server that never answers is not answered, in time', async () => {
  const silent = createServer(socket => socket.on('error', () => {})).listen(0, '127.0.0.1')
  onTestFinished(() => void silent.close())
  await once(silent, 'listening')
  const { port } = silent.address() as { port: number }
  const amounts = ['--rate', '10', '--duration', '500ms', '--mix', 'clean=1', '--timeout', '300ms', '--json']
  const { code, stdout } = await elemta('load', '--server', `127.0.0.1:${port}`, ...amounts)
  const account = JSON.parse(stdout) as Result
  expect(account).toMatchObject({ sent: 5, accepted: 0, refused: {}, imbalance: 0 })
  expect(Object.values(account.unanswered)).toEqual([5])
  expect(code).toBe(0)
})

test('nobody there: told, and an expectation fails', async () => {
  const server = ['--server', `127.0.0.1:${await freePort()}`]
  const amounts = ['--rate', '10', '--duration', '300ms', '--mix', 'clean=1', '--expect', 'clean=250']
  const { code, stdout } = await elemta('load', ...server, ...amounts)
  expect(code).toBe(1)
  expect(stdout).toMatch(/^clean: 3 not answered: connection refused$/m)
})

test.each([
  [['--mix', 'ham=1'], /"ham" is no kind of mail/],
  [['--mix', 'clean=0'], /the mix is empty/],
  [['--rate', 'fast'], /"fast" is no rate/],
  [['--expect', 'clean=99'], /"99" is no reply code/],
  [['--mix', 'auth=1'], /need --submission/],
  [['--seed', 'x'], /--seed is a whole number/],
  [['--server', 'a b'], /"a b" is no server/],
])('%j is a mistake that is explained', async (args, message) => {
  const { code, stderr } = await elemta('load', ...args)
  expect(code).toBe(64)
  expect(stderr).toMatch(message)
})
