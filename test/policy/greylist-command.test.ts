// `elemta greylist` as an operator runs it, beside an ingress that is at work on the same data directory.
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DAY, greylistHome, type Home, MINUTE } from './greylist-home.ts'

const SETTINGS = { auto_allow: 2 }
const DEFERRED = '451 4.7.1 Greylisted, try again in 300 seconds'

type Run = Readonly<{ code: number; stdout: string; stderr: string }>

let home: Home
let config: string
beforeEach(async () => {
  home = await greylistHome({ time: Date.now() })
  config = join(home.dataDir, 'elemta.yaml')
  const plugins = [{ name: 'greylist', config: SETTINGS }]
  await writeFile(config, JSON.stringify({ data_dir: home.dataDir, relay: { domains: ['example.com'] }, plugins }))
})
afterEach(() => home.dispose())

function greylist(...args: string[]): Promise<Run> {
  return new Promise(done => {
    execFile(process.execPath, ['bin/elemta.ts', 'greylist', ...args, '--config', config], (error, stdout, stderr) => {
      done({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, stdout, stderr })
    })
  })
}
const jsonLines = ({ stdout }: Run) =>
  stdout
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line))

describe('list and stats', () => {
  it('show who waits, who has passed, and who is known', async () => {
    const at = home.now()
    const { say } = await home.start(SETTINGS)
    for (const sender of ['a@example.org', 'b@example.org']) await say({ sender })
    home.pass(5 * MINUTE)
    for (const sender of ['a@example.org', 'b@example.org']) await say({ sender })
    await say({ from: '2001:db8::1', sender: '' })

    const now = at + 5 * MINUTE
    const network = { client: '192.0.2.0/24', recipient: 'user@example.com' }
    const passed = { state: 'passed', firstSeen: at, lastSeen: now, passes: 1, expiresAt: now + 36 * DAY }
    const waiting = { state: 'waiting', firstSeen: now, lastSeen: now, passes: 0, expiresAt: now + 2 * DAY }
    const first = { ...network, sender: 'a@example.org', ...passed }
    const triplets = [
      first,
      { ...network, sender: 'b@example.org', ...passed },
      { client: '2001:db8::/64', sender: '', recipient: 'user@example.com', ...waiting },
    ]
    expect(jsonLines(await greylist('list', '--json'))).toEqual(triplets)
    expect(jsonLines(await greylist('list', '192.0.2.99', '--json'))).toEqual(triplets.slice(0, 2))
    const some = await greylist('list', '--json', '--limit', '1')
    expect([jsonLines(some), some.stderr]).toEqual([[first], 'elemta: there are more; --limit shows them\n'])
    expect(jsonLines(await greylist('list', '--clients', '--json'))).toEqual([
      { client: '192.0.2.0/24', state: 'auto-allowed', passes: 2, expiresAt: now + 36 * DAY },
    ])
    const { stdout } = await greylist('list', '2001:db8::/64')
    const time = `${new Date(now).toISOString().slice(0, 19)}Z`
    const until = `${new Date(now + 2 * DAY).toISOString().slice(0, 19)}Z`
    expect(stdout).toBe(`waiting  2001:db8::/64  <> <user@example.com>  first seen ${time}, passes 0, until ${until}\n`)

    const stats = { triplets: 3, waiting: 1, passed: 2, autoAllowed: 1, allowed: 0 }
    expect(jsonLines(await greylist('stats', '--json'))).toEqual([stats])
    expect((await greylist('stats')).stdout).toBe(
      'triplets  3: 1 waiting, 2 passed\nclients   1 known by their history, 0 allowed by an operator\n',
    )
  })

  it('have nothing to show where no gateway has run', async () => {
    expect(await greylist('list')).toEqual({ code: 0, stdout: '', stderr: '' })
  })
})

describe('allow', () => {
  it('lets an address, a network or a triplet pass at once, for as long as it says', async () => {
    const { say } = await home.start(SETTINGS)
    expect((await greylist('allow', '192.0.2.7', '--for', '1d')).stdout).toMatch(
      /^192\.0\.2\.7 is not greylisted until /,
    )
    expect((await greylist('allow', '198.51.100.0/24')).code).toBe(0)
    expect((await greylist('allow', '203.0.113.9', '<>', 'user@EXAMPLE.com')).code).toBe(0)
    home.pass(MINUTE)
    expect(await say({ from: '192.0.2.7' })).toBe('pass')
    expect(await say({ from: '192.0.2.8' })).toBe(DEFERRED)
    expect(await say({ from: '198.51.100.200', sender: 'any@example.org' })).toBe('pass')
    expect(await say({ from: '203.0.113.77', sender: '' })).toBe('pass')
    expect(await say({ from: '203.0.113.9' })).toBe(DEFERRED)
    home.pass(DAY)
    expect(await say({ from: '192.0.2.7', sender: 'other@example.org' })).toBe(DEFERRED)
    expect(await say({ from: '198.51.100.200' })).toBe('pass')
    home.pass(36 * DAY)
    expect(await say({ from: '198.51.100.200' })).toBe(DEFERRED)
  })

  it('says what makes no sense', async () => {
    const runs = await Promise.all([
      greylist('allow', '10.0.0.0/8'),
      greylist('allow', '192.0.2.7', 'a@example.org'),
      greylist('allow', '192.0.2.7', '--for', '30'),
    ])
    expect(runs.map(({ code }) => code)).toEqual([64, 64, 64])
    expect(runs.map(({ stderr }) => stderr)).toEqual([
      expect.stringMatching(/^elemta: greylisting knows 10\.0\.0\.0 as 10\.0\.0\.0\/24 /),
      'elemta: the recipient is missing\n',
      expect.stringMatching(/^elemta: a duration needs its unit/),
    ])
  })
})

describe('forget', () => {
  it('makes a client a stranger again, or only one of its triplets', async () => {
    const { say } = await home.start(SETTINGS)
    const mails = [{ sender: 'a@example.org' }, { sender: 'b@example.org' }, { from: '198.51.100.1' }]
    for (const mail of mails) await say(mail)
    home.pass(5 * MINUTE)

    expect((await greylist('forget', '192.0.2.1', 'b@example.org', 'user@example.com')).stdout).toBe(
      'forgotten: 1 triplets, 0 clients\n',
    )
    expect(await say(mails[0])).toBe('pass')
    expect(await say(mails[1])).toBe(DEFERRED)
    expect((await greylist('forget', '192.0.2.0/24')).stdout).toBe('forgotten: 2 triplets, 1 clients\n')
    expect(await say(mails[0])).toBe(DEFERRED)
    expect(await say(mails[2])).toBe('pass')
    expect(await greylist('forget', '203.0.113.1')).toEqual({
      code: 1,
      stdout: '',
      stderr: 'elemta: nothing is remembered of 203.0.113.1\n',
    })
  })
})
