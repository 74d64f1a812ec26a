// MTA-STS: policies as their domains publish them, over HTTPS from a server here, and what follows for a delivery.
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { generate } from 'selfsigned'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openPolicyStore } from '../../src/backends.ts'
import { createMtaSts } from '../../src/deliver/mta-sts.ts'
import { createPolicyFetch, type PolicyFetch } from '../../src/deliver/mta-sts-fetch.ts'
import { isInPolicy, parsePolicy, policyId } from '../../src/deliver/mta-sts-policy.ts'
import { type ResolveMxOptions, resolveMx } from '../../src/deliver/resolve-mx.ts'
import type { Dns, DnsAnswer } from '../../src/platform/dns.ts'
import { silentLog } from '../../src/platform/log.ts'
import { records, startDns } from '../policy/ask.ts'
import { temporaryDirectory } from '../storage/embedded-home.ts'
import { HOSTNAME } from './messages.ts'

const POLICY = 'version: STSv1\r\nmode: enforce\r\nmx: mx.sts.test\r\nmx: *.pool.sts.test\r\nmax_age: 86400\r\n'

describe('a policy', () => {
  test.each([
    ['v=STSv1; id=20260101T000000;', '20260101T000000'],
    ['v=STSv1; ext=x; id=a1', 'a1'],
    ['v=STSv1;', undefined],
    ['v=STSv2; id=1', undefined],
    ['v=STSv1; id=not-one;', undefined],
  ])('is announced by %s: %s', (record, id) => {
    expect(policyId(['v=spf1 -all', record])).toBe(id)
  })

  test('announced twice is none', () => {
    expect(policyId(['v=STSv1; id=1;', 'v=STSv1; id=2;'])).toBeUndefined()
  })

  test('is read, also with bare line ends', () => {
    const policy = { mode: 'enforce', mx: ['mx.sts.test', '*.pool.sts.test'], maxAge: 86_400 }
    expect(parsePolicy(POLICY)).toEqual(policy)
    expect(parsePolicy(POLICY.replaceAll('\r', ''))).toEqual(policy)
  })

  test.each([
    ['no version', POLICY.replace('version: STSv1\r\n', '')],
    ['an unknown mode', POLICY.replace('enforce', 'sometimes')],
    ['no age', POLICY.replace(/max_age.*\r\n/, '')],
    ['no hosts', POLICY.replaceAll(/mx:.*\r\n/g, '')],
    ['a web page', '<html>'],
  ])('with %s is none', (_, text) => {
    expect(parsePolicy(text)).toBeUndefined()
  })

  test.each([
    ['mx.sts.test', true],
    ['MX.STS.test.', true],
    ['a.pool.sts.test', true],
    ['a.b.pool.sts.test', false],
    ['pool.sts.test', false],
    ['sts.test', false],
    ['mx.sts.test.evil.test', false],
  ])('is about %s: %s', (host, expected) => {
    expect(isInPolicy(parsePolicy(POLICY)!, host)).toBe(expected)
  })
})

let server: Server
let port: number
let ca: string
let answer: { status?: number; type?: string; text: string; location?: string }
let asked: string[]
beforeAll(async () => {
  const names = ['mta-sts.sts.test', 'mta-sts.private.test'].map(value => ({ type: 2 as const, value }))
  const extensions = [{ name: 'subjectAltName' as const, altNames: names }]
  const pair = await generate([{ name: 'commonName', value: 'mta-sts.sts.test' }], { extensions })
  ca = pair.cert
  server = createServer({ cert: pair.cert, key: pair.private }, (request, response) => {
    asked.push(`${request.headers.host}${request.url}`)
    const { status = 200, type = 'text/plain; charset=utf-8', text, location } = answer
    response.writeHead(status, { 'content-type': type, ...(location && { location }) }).end(text)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
})
afterAll(async () => {
  server.close()
  await once(server, 'close')
})
beforeEach(() => {
  answer = { text: POLICY }
  asked = []
})

let dns: Dns
let stopDns: () => Promise<void>
beforeAll(async () => {
  const zones = records(
    '_mta-sts.sts.test. 60 IN TXT "v=STSv1; id=one;"',
    'mta-sts.sts.test. 60 IN A 127.0.0.1',
    'mta-sts.wrong-name.test. 60 IN A 127.0.0.1',
    'mta-sts.private.test. 60 IN A 10.0.0.1',
    'sts.test. 60 IN MX 10 evil.test.',
    'sts.test. 60 IN MX 20 mx.sts.test.',
    'evil.test. 60 IN A 127.0.0.66',
    'mx.sts.test. 60 IN A 127.0.0.1',
    '_mta-sts.hijacked.test. 60 IN TXT "v=STSv1; id=one;"',
    'hijacked.test. 60 IN MX 10 evil.test.',
  )
  const started = await startDns(zones)
  dns = started.dns
  stopDns = started.stop
})
afterAll(() => stopDns())

const onLoopback = (address: string) => address.startsWith('127.')
const fetchHere = (): PolicyFetch => createPolicyFetch({ dns, mayConnect: onLoopback, port, ca, timeout: 5000 })

describe('the policy file', () => {
  test('is fetched from its well-known place', async () => {
    expect(await fetchHere()('sts.test')).toBe(POLICY)
    expect(asked).toEqual(['mta-sts.sts.test/.well-known/mta-sts.txt'])
  })

  test.each([
    ['a redirect is not followed', { status: 301, location: 'https://mta-sts.sts.test/', text: '' }, 'answered 301'],
    ['a page is none', { type: 'text/html', text: POLICY }, 'no text/plain'],
    ['one without end is cut', { text: 'x'.repeat(70_000) }, 'more than 65536'],
  ])('%s', async (_, said, why) => {
    answer = said
    await expect(fetchHere()('sts.test')).rejects.toThrow(why)
  })

  test('needs a certificate for its host, and an authority that we trust', async () => {
    await expect(fetchHere()('wrong-name.test')).rejects.toThrow(/altnames/i)
    const trusting = createPolicyFetch({ dns, mayConnect: onLoopback, port })
    await expect(trusting('sts.test')).rejects.toThrow(/self-signed/)
    expect(asked).toEqual([])
  })

  test('is not fetched from a private network', async () => {
    await expect(fetchHere()('private.test')).rejects.toThrow('no public address')
  })
})

describe('the policy in force', () => {
  let time: number
  let announced: DnsAnswer<string>
  let directory: string
  beforeEach(async () => {
    time = Date.UTC(2026, 0, 1)
    announced = { kind: 'found', records: ['v=STSv1; id=one;'] }
    directory = await temporaryDirectory()
  })
  afterEach(() => rm(directory, { recursive: true }))

  const parts = () => ({ dns: { ...dns, txt: async () => announced }, now: () => time, log: silentLog })
  const modeOf = async (mtaSts: ReturnType<typeof createMtaSts>) => (await mtaSts('sts.test'))?.mode

  test('is fetched once for an id, by many at the same time, and again for another id', async () => {
    const mtaSts = createMtaSts({ ...parts(), fetchPolicy: fetchHere() })
    await Promise.all([mtaSts('sts.test'), mtaSts('sts.test')])
    expect(await modeOf(mtaSts)).toBe('enforce')
    expect(asked).toHaveLength(1)
    announced = { kind: 'found', records: ['v=STSv1; id=two;'] }
    answer = { text: POLICY.replace('enforce', 'testing') }
    expect(await modeOf(mtaSts)).toBe('testing')
  })

  test.each<[string, () => void]>([
    ['nobody knows the record', () => (announced = { kind: 'error', why: 'ESERVFAIL' })],
    ['the record is gone', () => (announced = { kind: 'none' })],
    [
      'the new one cannot be fetched',
      () => {
        announced = { kind: 'found', records: ['v=STSv1; id=two;'] }
        answer = { status: 500, text: '' }
      },
    ],
  ])('holds when %s, until its age is over', async (_, change) => {
    const mtaSts = createMtaSts({ ...parts(), fetchPolicy: fetchHere() })
    await mtaSts('sts.test')
    change()
    expect(await modeOf(mtaSts)).toBe('enforce')
    time += 86_400_000
    expect(await modeOf(mtaSts)).toBeUndefined()
  })

  test('outlives a restart', async () => {
    const store = await openPolicyStore({ dataDir: directory, log: silentLog })
    await createMtaSts({ ...parts(), fetchPolicy: fetchHere(), store })('sts.test')
    await store.close()
    const again = await openPolicyStore({ dataDir: directory, log: silentLog })
    announced = { kind: 'none' }
    const policy = await createMtaSts({ ...parts(), fetchPolicy: fetchHere(), store: again })('sts.test')
    await again.close()
    expect(policy).toEqual({ mode: 'enforce', mx: ['mx.sts.test', '*.pool.sts.test'], maxAge: 86_400 })
  })

  test('that cannot be fetched is none, and not asked for again at once', async () => {
    answer = { status: 404, text: '' }
    const mtaSts = createMtaSts({ ...parts(), fetchPolicy: fetchHere() })
    expect(await modeOf(mtaSts)).toBeUndefined()
    expect(await modeOf(mtaSts)).toBeUndefined()
    expect(asked).toHaveLength(1)
    time += 300_000
    answer = { text: POLICY }
    expect(await modeOf(mtaSts)).toBe('enforce')
  })
})

describe('a delivery', () => {
  const resolve = (domain: string, text: string, settings = {}) => {
    const mtaSts = createMtaSts({ dns, now: Date.now, log: silentLog, fetchPolicy: async () => text })
    const options: ResolveMxOptions = {
      ...{ dns, mtaSts, port: 25, hostname: HOSTNAME, mayConnect: onLoopback, ipv6: false },
      ...{ random: Math.random, log: silentLog },
    }
    return resolveMx(domain, settings, options)
  }
  const hosts = ({ nextHops }: { nextHops: readonly { nextHop: object }[] }) => nextHops.map(({ nextHop }) => nextHop)

  test('under a policy goes only to its hosts, by their certificates', async () => {
    const resolved = await resolve('sts.test', POLICY)
    expect(resolved.kind === 'next-hops' && hosts(resolved)).toEqual([
      { protocol: 'smtp', host: '127.0.0.1', port: 25, tls: 'verify', certificateName: 'mx.sts.test' },
    ])
  })

  test('waits when none of the hosts is in it', async () => {
    expect(await resolve('hijacked.test', POLICY)).toMatchObject({ kind: 'deferred', reason: 'policy' })
  })

  test.each([['testing'], ['none']])('goes as it would anyway where the mode is %s', async mode => {
    const resolved = await resolve('sts.test', POLICY.replace('enforce', mode))
    expect(resolved.kind === 'next-hops' && hosts(resolved)).toMatchObject([
      { host: '127.0.0.66', tls: 'may' },
      { host: '127.0.0.1', tls: 'may' },
    ])
  })
})
