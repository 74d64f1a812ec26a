// TLS with next hops: who is spoken to in clear text, who is trusted, and what becomes of the mail when neither will do.
import { writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { TlsPolicy } from '../../src/deliver/next-hop.ts'
import { certificateFor, DAY, emptyDirectory, type Pems } from '../ingress/certificate.ts'
import { handOver, openPool } from './hand-over.ts'
import { helloReply, type NextHop, type Script, startNextHop } from './next-hop.ts'

const HOST = 'next-hop.example'
const OFFERS_TLS = helloReply([HOST, 'PIPELINING', 'STARTTLS'])
const CLEAR = helloReply([HOST, 'PIPELINING'])
const DELIVERED = ['delivered: 250 2.0.0 Ok: queued as 42']
const EHLO = 'EHLO mx.example.com'

let hop: NextHop
afterEach(() => hop.close())

async function start(pems: Pems, script: Script = {}, implicit = false) {
  hop = await startNextHop({ hello: OFFERS_TLS, tls: { ...pems, implicit }, ...script })
}
const good = () => certificateFor([HOST])
async function fileOf({ cert }: Pems): Promise<string> {
  const file = join(await emptyDirectory(), 'ca.pem')
  await writeFile(file, cert)
  return file
}
type Way = Readonly<{ tls?: TlsPolicy; ca?: string; certificateName?: string; protocol?: 'smtp' | 'smtps' | 'lmtp' }>
const to = ({ protocol = 'smtp', ...way }: Way) => ({ protocol, host: '127.0.0.1', port: hop.port, ...way }) as const
const deliver = (way: Way, pool = openPool()) => handOver(pool, to(way))
const verbs = (connection: number) => hop.connections[connection]?.map(line => line.split(/[ :]/, 1)[0])

describe('STARTTLS', () => {
  test('is not said where the policy is none', async () => {
    await start(await good())
    expect((await deliver({ tls: 'none' })).told).toEqual(DELIVERED)
    expect(verbs(0)).toEqual(['EHLO', 'MAIL', 'RCPT', 'DATA'])
  })

  test.each(['may', 'encrypt'] as const)(
    '%s: whatever the certificate, everything behind it is encrypted',
    async tls => {
      await start(await certificateFor(['other.example'], Date.now() - DAY))
      const { told, session } = await deliver({ tls })
      expect(told).toEqual(DELIVERED)
      expect(verbs(0)).toEqual(['EHLO', 'STARTTLS', 'EHLO', 'MAIL', 'RCPT', 'DATA'])
      expect(session?.tls).toEqual({ version: 'TLSv1.3', cipher: expect.stringMatching(/^TLS_AES/), verified: false })
      expect(hop.handshakes).toEqual([{ servername: undefined, resumed: false }])
    },
  )

  test('may is the policy of who has none', async () => {
    await start(await good())
    expect((await deliver({})).session?.tls?.version).toBe('TLSv1.3')
  })

  test('verify: a certificate of the right name by the right authority', async () => {
    const pems = await good()
    await start(pems)
    const { told, session } = await deliver({ tls: 'verify', ca: await fileOf(pems), certificateName: HOST })
    expect(told).toEqual(DELIVERED)
    expect(session?.tls?.verified).toBe(true)
    expect(hop.handshakes[0]?.servername).toBe(HOST)
  })

  test('is said to LMTP servers too', async () => {
    await start(await good(), { lmtp: true })
    expect((await deliver({ protocol: 'lmtp', tls: 'encrypt' })).told).toEqual(DELIVERED)
    expect(verbs(0)?.slice(0, 3)).toEqual(['LHLO', 'STARTTLS', 'LHLO'])
  })

  test('extensions are those that are named under TLS', async () => {
    let hellos = 0
    await start(await good(), { hello: () => (hellos++ === 0 ? OFFERS_TLS : helloReply([HOST, 'SIZE 1000'])) })
    await deliver({})
    expect(hop.messages[0]?.mail).toMatch(/ SIZE=\d+$/)
  })

  test('replies that somebody put behind the 220 count for nothing', async () => {
    const forged = `220 Go on\r\n250 evil.example\r\n250-evil.example\r\n250 SIZE 1\r\n554 5.7.1 Refused\r\n250-unfin`
    await start(await good(), { starttls: { raw: forged } })
    const { told, session } = await deliver({ tls: 'encrypt' })
    expect(told).toEqual(DELIVERED)
    expect(session?.extensions.has('SIZE')).toBe(false)
  })

  test('TLS 1.1 is none', async () => {
    await start({ ...(await good()) }, {}, false)
    await hop.close()
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
    hop = await startNextHop({ hello: OFFERS_TLS, tls: { ...(await good()), ...old } })
    const { error } = await deliver({ tls: 'encrypt' })
    expect(error?.message).toMatch(/^TLS failed: /)
  })
})

describe('smtps: TLS from the first octet', () => {
  test.each(['none', 'may', 'encrypt'] as const)('%s', async tls => {
    await start(await good(), {}, true)
    const { told, session } = await deliver({ protocol: 'smtps', tls })
    expect(told).toEqual(DELIVERED)
    expect(verbs(0)).toEqual(['EHLO', 'MAIL', 'RCPT', 'DATA'])
    expect(session?.tls?.version).toBe('TLSv1.3')
  })

  test('verify', async () => {
    const pems = await good()
    await start(pems, {}, true)
    const way = { protocol: 'smtps', tls: 'verify', certificateName: HOST } as const
    expect((await deliver({ ...way, ca: await fileOf(pems) })).told).toEqual(DELIVERED)
    expect((await deliver(way)).error?.message).toBe('TLS failed: the certificate is self-signed')
    expect(hop.messages).toHaveLength(1)
  })

  test('never goes on in clear text', async () => {
    hop = await startNextHop()
    const { error } = await deliver({ protocol: 'smtps' })
    expect(error).toMatchObject({ message: expect.stringMatching(/^TLS failed: /), about: 'connection' })
    expect(hop.connections).toEqual([[]])
  })
})

describe('a certificate that will not do:', () => {
  const trusted = { tls: 'verify', certificateName: HOST } as const
  test.each<[string, () => Promise<Pems>, boolean, string]>([
    ['of another name', () => certificateFor(['other.example']), true, `is not for ${HOST}`],
    ['expired', () => certificateFor([HOST], Date.now() - DAY), true, 'has expired'],
    ['self-signed', good, false, 'is self-signed'],
  ])('%s', async (_, make, known, expected) => {
    const pems = await make()
    await start(pems)
    const { error, results } = await deliver({ ...trusted, ...(known ? { ca: await fileOf(pems) } : {}) })
    expect(error).toMatchObject({ message: `TLS failed: the certificate ${expected}`, about: 'connection' })
    expect(results).toEqual([])
    expect(hop.connections.flat()).toEqual([EHLO, 'STARTTLS'])
  })

  test('by another authority', async () => {
    await start(await good())
    const { error } = await deliver({ ...trusted, ca: await fileOf(await certificateFor([HOST])) })
    expect(error?.message).toMatch(/^TLS failed: the certificate is /)
  })

  test('without a name for the address that was connected to', async () => {
    const pems = await good()
    await start(pems)
    const { error } = await deliver({ tls: 'verify', ca: await fileOf(pems) })
    expect(error?.message).toBe('TLS failed: the certificate is not for 127.0.0.1')
  })

  test('an authority that cannot be read is no reason to trust anybody', async () => {
    await start(await good())
    const { error } = await deliver({ ...trusted, ca: '/nonexistent/ca.pem' })
    expect(error?.message).toBe('TLS failed: cannot read /nonexistent/ca.pem (ENOENT)')
    const empty = join(await emptyDirectory(), 'empty.pem')
    await writeFile(empty, '\n')
    expect((await deliver({ ...trusted, ca: empty })).error?.message).toBe(`TLS failed: ${empty} holds no certificate`)
  })
})

describe('a next hop without TLS', () => {
  test.each<[string, Script, string]>([
    ['that does not offer it', { hello: CLEAR }, 'but the next hop does not offer it'],
    ['that knows only HELO', { hello: '502 5.5.1 What?' }, 'but the next hop does not offer it'],
    ['that has none for now', { starttls: '454 4.7.0 No TLS' }, 'but the next hop says: 454 4.7.0 No TLS'],
  ])('%s gets mail in clear text under may, none otherwise', async (_, script, expected) => {
    await start(await good(), script)
    for (const tls of ['encrypt', 'verify'] as const) {
      const { error } = await deliver({ tls })
      expect(error).toMatchObject({ message: `TLS is required, ${expected}`, about: 'session' })
    }
    expect(hop.messages).toEqual([])
    const { told, session } = await deliver({})
    expect([told, session?.tls]).toEqual([DELIVERED, undefined])
  })
})

describe('a handshake that fails', () => {
  const broken: [string, Script, RegExp][] = [
    // A server without a certificate.
    ['in an alert', { tls: {} }, /^TLS failed: /],
    ['in a close', { starttls: { cut: '220 Go on\r\n' } }, /^TLS failed: connection (closed|reset) by the next hop$/],
    ['in silence', { starttls: { raw: '220 Go on\r\n', deaf: true } }, /^TLS failed: no handshake within 0.1 s$/],
  ]
  test.each(broken)('%s: under may the mail goes in clear text, on a new connection', async (_, script, expected) => {
    hop = await startNextHop({ hello: OFFERS_TLS, ...script })
    const pool = openPool({ timeouts: { tls: 100 } })
    const { told, session } = await handOver(pool, to({}))
    expect(told).toEqual(DELIVERED)
    expect(hop.connections.map(commands => commands[1])).toEqual(['STARTTLS', expect.stringMatching(/^MAIL/)])
    expect(session?.tls).toBeUndefined()
    expect(session?.tlsFailure).toMatch(expected)
    // The session is kept under its own name.
    await handOver(pool, to({}))
    expect(hop.connections).toHaveLength(2)
  })

  test.each(broken)(
    '%s: where TLS is a must, or a password would be told, nothing goes out',
    async (_, script, expected) => {
      hop = await startNextHop({ hello: OFFERS_TLS, ...script })
      const pool = openPool({ timeouts: { tls: 100 } })
      const auth = { user: 'u', password: 'secret' }
      for (const way of [{ tls: 'encrypt' }, { tls: 'verify' }, { auth }] as const) {
        const { error } = await handOver(pool, { ...to({}), ...way })
        expect(error).toMatchObject({ message: expect.stringMatching(expected), about: 'connection' })
      }
      expect(hop.messages).toEqual([])
      expect(hop.connections.every(commands => commands.length === 2)).toBe(true)
    },
  )

  test('only behind its end, as TLS 1.3 can, is none either', async () => {
    const said = [OFFERS_TLS, { cut: '' }, CLEAR]
    await start(await good(), { hello: () => said.shift() ?? CLEAR })
    const { told, session } = await deliver({})
    expect([told, session?.tlsFailure]).toEqual([DELIVERED, 'TLS failed: connection closed by the next hop'])
  })

  test('is not followed by clear text when the delivery was called off', async () => {
    hop = await startNextHop({ hello: OFFERS_TLS, starttls: { raw: '220 Go on\r\n' } })
    const stop = new AbortController()
    const delivery = handOver(openPool(), to({}), { signal: stop.signal })
    await expect.poll(() => hop.connections[0]?.at(-1)).toBe('STARTTLS')
    stop.abort(new Error('off'))
    await expect(delivery).rejects.toThrow('off')
    expect(hop.connections).toHaveLength(1)
  })
})

test('a connection that is cut at any octet of the handshake or behind it costs no mail', async () => {
  await start(await good())
  const pool = openPool()
  // A relay in between that lets so many octets of the next hop through.
  for (let limit = 50; limit < 3000; limit += 233) {
    let left = limit
    const relay = createServer(near => {
      const far = connect(hop.port, '127.0.0.1')
      far.on('data', chunk => {
        near.write(chunk.subarray(0, left))
        left -= chunk.length
        if (left <= 0) near.destroy()
      })
      near.on('error', () => {}).on('close', () => far.destroy())
      near.on('data', chunk => far.write(chunk))
      far.on('error', () => {}).on('close', () => near.destroy())
    })
    await new Promise<void>(listening => relay.listen(0, '127.0.0.1', listening))
    const { port } = relay.address() as { port: number }
    const before = hop.messages.length
    const { told, error } = await handOver(pool, { ...to({ tls: 'encrypt' }), port })
    if (hop.messages.length === before) expect([limit, error?.name]).toEqual([limit, 'NextHopError'])
    else if (error === undefined) expect(told).toEqual(DELIVERED)
    relay.close()
  }
})

describe('TLS sessions', () => {
  const once = { messagesPerConnection: 1 }
  test.each(['TLSv1.2', 'TLSv1.3'] as const)('%s: are resumed with the same next hop', async version => {
    const pems = await good()
    await start({ ...pems, maxVersion: version } as Pems)
    const pool = openPool()
    const way = { ...to({ tls: 'verify', ca: await fileOf(pems), certificateName: HOST }), ...once }
    for (let n = 0; n < 3; n++)
      expect((await handOver(pool, way)).session?.tls).toMatchObject({ version, verified: true })
    expect(hop.handshakes.map(({ resumed }) => resumed)).toEqual([false, true, true])
  })

  // Names are compared in the first handshake only.
  test('say as often as they are resumed that nobody was verified', async () => {
    const pems = await certificateFor(['other.example'])
    await start(pems)
    const pool = openPool()
    const way = { ...to({ ca: await fileOf(pems), certificateName: HOST }), ...once }
    for (let n = 0; n < 2; n++) expect((await handOver(pool, way)).session?.tls?.verified).toBe(false)
    expect(hop.handshakes[1]?.resumed).toBe(true)
  })

  test('of a laxer policy are not good enough for a stricter one', async () => {
    const pems = await certificateFor(['other.example'])
    await start(pems)
    const pool = openPool()
    const way = { ca: await fileOf(pems), certificateName: HOST }
    await handOver(pool, { ...to({ ...way, tls: 'may' }), ...once })
    const { error } = await handOver(pool, to({ ...way, tls: 'verify' }))
    expect(error?.message).toBe(`TLS failed: the certificate is not for ${HOST}`)
  })
})
