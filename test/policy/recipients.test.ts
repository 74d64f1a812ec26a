// Who exists: by lists, a file and a web service.
import { once } from 'node:events'
import { mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createRecipients } from '../../src/policy/recipients.ts'
import { contextFor, from, said, settings, whyOf } from './ask.ts'

const UNKNOWN = (recipient: string) => `550 5.1.1 <${recipient}>: no such user here`
const LATER = (recipient: string) => `450 4.1.1 <${recipient}>: cannot be verified now, try again later`

function policy(config: object, parts = {}) {
  const plugin = createRecipients(settings('recipients', config), contextFor('recipients', parts))
  return {
    ask: (recipient: string, view = {}) => said(plugin.recipient!(from(view), recipient)),
    why: (recipient: string) => whyOf(plugin.recipient!(from(), recipient)),
  }
}

describe('addresses', () => {
  const { ask } = policy({ addresses: ['bob@ours.test', 'Ann.Lee@Ours.test', '"a b"@ours.test'] })

  test.each(['bob@ours.test', 'BOB@ours.test', 'ann.lee@ours.test', '"a b"@ours.test'])(
    '%s exists',
    async recipient => {
      expect(await ask(recipient)).toBe('pass')
    },
  )

  test.each(['bobby@ours.test', 'bob+tag@ours.test', '@ours.test'])('%s does not', async recipient => {
    expect(await ask(recipient)).toBe(UNKNOWN(recipient))
  })

  test('of a whole domain exist all', async () => {
    expect(await policy({ addresses: ['@ours.test'] }).ask('anybody@ours.test')).toBe('pass')
  })

  test('that are none are told at the start', () => {
    expect(() => policy({ addresses: ['bob@ours.test', 'bob'] })).toThrow('recipients: addresses[1]: "bob" is no')
    expect(() => policy({ addresses: ['bob @ours.test'] })).toThrow('recipients: addresses[0]')
  })

  test('also hold for who is trusted: a typing error is told at once', async () => {
    expect(await ask('bobby@ours.test', { trusted: true })).toBe(UNKNOWN('bobby@ours.test'))
  })
})

test('recipients of other domains are not ours to know', async () => {
  expect(await policy({ addresses: ['bob@ours.test'] }).ask('eve@elsewhere.test', { trusted: true })).toBe('pass')
})

test('the postmaster always exists', async () => {
  expect(await policy({ addresses: ['bob@ours.test'] }).ask('Postmaster@ours.test')).toBe('pass')
})

test('without a source everybody exists', async () => {
  expect(await policy({}).ask('anybody@ours.test')).toBe('pass')
})

describe('patterns', () => {
  const { ask } = policy({ patterns: ['bob(\\+.*)?@ours\\.test', 'team-\\d+@ours\\.test'] })

  test.each(['bob@ours.test', 'Bob+lists@ours.test', 'team-7@ours.test'])('%s exists', async recipient => {
    expect(await ask(recipient)).toBe('pass')
  })

  test.each(['xbob@ours.test', 'team-@ours.test'])('%s does not: the whole address must fit', async recipient => {
    expect(await ask(recipient)).toBe(UNKNOWN(recipient))
  })

  test.each(['(', 'a)|(b'])('that are none are told at the start: %s', pattern => {
    expect(() => policy({ patterns: ['.*', pattern] })).toThrow('recipients: patterns[1]: ')
  })
})

describe('the file', () => {
  let dir: string
  let file: string
  let now: number
  const log: string[] = []
  const parts = {
    now: () => now,
    log: { info: () => {}, error: ({ why }: { why: string }) => log.push(why) },
  }
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'elemta-recipients-'))
    file = join(dir, 'recipients')
    now = Date.now() + 10_000
    log.length = 0
    writeFileSync(file, '# people\nbob@ours.test\r\n\n  ann@ours.test # the boss\n@all.test\n')
  })
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  test('is read', async () => {
    const { ask } = policy({ file }, { ...parts, isOurs: () => true })
    expect(await ask('bob@ours.test')).toBe('pass')
    expect(await ask('ann@ours.test')).toBe('pass')
    expect(await ask('who@all.test')).toBe('pass')
    expect(await ask('eve@ours.test')).toBe(UNKNOWN('eve@ours.test'))
  })

  test('is read again when it changed', async () => {
    const { ask } = policy({ file }, parts)
    expect(await ask('eve@ours.test')).toContain('550')
    writeFileSync(join(dir, 'new'), 'eve@ours.test\n')
    renameSync(join(dir, 'new'), file)
    now += 2000
    expect(await ask('eve@ours.test')).toBe('pass')
    expect(await ask('bob@ours.test')).toBe(UNKNOWN('bob@ours.test'))
  })

  test('is left alone while somebody writes it', async () => {
    const { ask } = policy({ file }, parts)
    writeFileSync(file, 'eve@ours.test\n')
    now += 2000
    utimesSync(file, now / 1000, now / 1000)
    expect(await ask('bob@ours.test')).toBe('pass')
    now += 2000
    expect(await ask('bob@ours.test')).toBe(UNKNOWN('bob@ours.test'))
  })

  test.each([
    ['is gone', () => rmSync(file), /ENOENT/],
    ['is broken', () => writeFileSync(file, 'eve@ours.test\nbob\n'), /recipients:2: "bob" is no recipient/],
    ['is empty', () => writeFileSync(file, '\n'), /no recipient/],
  ])('that %s later changes nothing but the log', async (_, spoil, complaint) => {
    const { ask } = policy({ file }, parts)
    spoil()
    for (let n = 0; n < 3; n++) {
      now += 2000
      expect(await ask('bob@ours.test')).toBe('pass')
      expect(await ask('eve@ours.test')).toContain('550')
    }
    expect(log).toEqual([expect.stringMatching(complaint)])
  })

  test('that is missing, broken or empty is told at the start', () => {
    expect(() => policy({ file: join(dir, 'missing') })).toThrow('recipients: file: ENOENT')
    writeFileSync(file, 'bob@ours.test\n# two\nann\n')
    expect(() => policy({ file })).toThrow(`recipients: file: ${file}:3: "ann" is no recipient`)
    writeFileSync(file, '# nobody yet\n')
    expect(() => policy({ file })).toThrow('has no recipient in it')
  })
})

describe('a web service', () => {
  let server: Server
  let http: string
  let asked: string[]
  let answer: RequestListener

  beforeEach(async () => {
    asked = []
    server = createServer((request, response) => {
      asked.push(request.url!)
      answer(request, response)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    http = `http://127.0.0.1:${(server.address() as AddressInfo).port}/exists?tenant=7`
  })
  afterEach(() => {
    server.closeAllConnections()
    server.close()
  })

  const status =
    (code: number): RequestListener =>
    (_, response) => {
      response.writeHead(code, code === 302 ? { location: '/login' } : {}).end('whatever it says')
    }

  test('says who exists, and is believed for a while: a no for a tenth as long', async () => {
    let now = Date.now()
    const { ask } = policy({ http, cache: '10m' }, { now: () => now })
    answer = (request, response) => status(request.url!.includes('bob') ? 200 : 404)(request, response)
    expect(await ask('bob+a&b@ours.test')).toBe('pass')
    expect(await ask('eve@ours.test')).toBe(UNKNOWN('eve@ours.test'))
    expect(asked).toEqual([
      '/exists?tenant=7&recipient=bob%2Ba%26b%40ours.test',
      '/exists?tenant=7&recipient=eve%40ours.test',
    ])
    now += 59_000
    await Promise.all([ask('bob+a&b@ours.test'), ask('eve@ours.test')])
    expect(asked).toHaveLength(2)
    now += 2000
    await Promise.all([ask('bob+a&b@ours.test'), ask('eve@ours.test')])
    expect(asked.slice(2)).toEqual(['/exists?tenant=7&recipient=eve%40ours.test'])
    now += 540_000
    await ask('bob+a&b@ours.test')
    expect(asked).toHaveLength(4)
  })

  test.each([500, 503, 204, 302, 401, 410])('that answers %i is asked later, and again', async code => {
    const { ask, why } = policy({ http })
    answer = status(code)
    expect(await ask('bob@ours.test')).toBe(LATER('bob@ours.test'))
    expect(await why('bob@ours.test')).toMatch(new RegExp(`^127\\.0\\.0\\.1:\\d+ answered ${code}$`))
    expect(asked).toHaveLength(2)
    answer = status(200)
    expect(await ask('bob@ours.test')).toBe('pass')
  })

  test('that breaks off is asked later', async () => {
    answer = request => request.socket.destroy()
    expect(await policy({ http }).ask('bob@ours.test')).toBe(LATER('bob@ours.test'))
  })

  test('that is down is asked later', async () => {
    server.close()
    await once(server, 'close')
    expect(await policy({ http }).ask('bob@ours.test')).toBe(LATER('bob@ours.test'))
  })

  test('is asked once by all who want to know the same', async () => {
    const { ask } = policy({ http })
    answer = status(404)
    const replies = await Promise.all(['bob', 'bob', 'ann', 'bob'].map(name => ask(`${name}@ours.test`)))
    expect(replies.map(reply => reply.slice(0, 3))).toEqual(['550', '550', '550', '550'])
    expect(asked).toHaveLength(2)
  })

  test('is asked only about those that the lists do not know', async () => {
    const { ask } = policy({ http, addresses: ['bob@ours.test'] })
    answer = status(200)
    expect(await ask('bob@ours.test')).toBe('pass')
    expect(asked).toEqual([])
    expect(await ask('ann@ours.test')).toBe('pass')
    answer = status(500)
    expect(await ask('eve@ours.test')).toBe(LATER('eve@ours.test'))
  })

  test('is told the name and the password that stand in the address', async () => {
    let authorization: string | undefined
    answer = (request, response) => {
      authorization = request.headers.authorization
      status(200)(request, response)
    }
    expect(await policy({ http: http.replace('://', '://me:p%40ss@') }).ask('bob@ours.test')).toBe('pass')
    expect(authorization).toBe(`Basic ${btoa('me:p@ss')}`)
  })

  test('that is no web address is told at the start', () => {
    expect(() => policy({ http: 'ftp://127.0.0.1/' })).toThrow('recipients: http: ')
  })
})
