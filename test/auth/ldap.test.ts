// Logins against a real directory: Debian's slapd, in clear, over STARTTLS and over TLS, and one that does not answer.
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { generate } from 'selfsigned'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createLdap, type LdapConfig } from '../../src/auth/ldap.ts'
import { readableLog } from './log-lines.ts'
import { BASE, SEARCHER, type Slapd, startSlapd } from './slapd.ts'

const USERS = [
  { uid: 'alice', password: 's3cret', mail: ['alice@example.com', 'sales@example.com'] },
  { uid: 'bob', password: 'b0b' },
  { uid: 'no-password', mail: ['locked@example.com'] },
  { uid: 'twin', password: 'same', mail: ['one@example.com'] },
  { uid: 'TWIN', password: 'same', mail: ['other@example.com'] },
  { uid: 'ä*(b)\\c', password: 'wörd' },
]

let open: Slapd
let strict: Slapd
beforeAll(async () => {
  // What a careless directory does: it takes a DN without a password for nobody, and says that this is fine.
  open = await startSlapd({ users: USERS, directives: ['allow bind_anon_dn'] })
  strict = await startSlapd({
    users: USERS,
    directives: ['security simple_bind=128', 'disallow bind_anon', 'require authc'],
  })
})
afterAll(async () => {
  await Promise.all([open?.stop(), strict?.stop()])
})

const failure = { outcome: 'failure' }
const alice = { outcome: 'success', user: 'alice', addresses: ['alice@example.com', 'sales@example.com'] }

function ldap(settings: Partial<LdapConfig> = {}) {
  const { log, lines } = readableLog()
  const defaults = {
    starttls: true,
    base: BASE,
    filter: '(|(uid={user})(mail={user}))',
    addresses: 'mail',
    timeout: 5000,
  }
  return { ...createLdap({ url: open.clear, ca: open.ca, ...defaults, ...settings }, { log }), lines }
}

/** As the directory that only takes passwords over TLS, from someone it knows, wants it. */
const wanted = () => ({ url: strict.clear, ca: strict.ca, bind_dn: SEARCHER.dn, bind_password: SEARCHER.password })

describe('a login', () => {
  test('by name or by address, whatever their case, brings the addresses of the user', async () => {
    const { verify } = ldap()
    expect(await verify('alice', 's3cret')).toEqual(alice)
    expect(await verify('ALICE', 's3cret')).toEqual(alice)
    expect(await verify('sales@example.com', 's3cret')).toEqual({ ...alice, user: 'sales@example.com' })
    expect(await verify('bob', 'b0b')).toEqual({ outcome: 'success', user: 'bob' })
  })

  test.each([
    ['a wrong password', 'alice', 'S3cret'],
    ['no password: the directory would bind us as nobody, and call that a success', 'alice', ''],
    ['no such user', 'mallory', 's3cret'],
    ['no name', '', 's3cret'],
    ['a user without a password', 'no-password', 'x'],
    ['a name that fits everyone, were it not escaped', '*', 's3cret'],
    ['a name that leaves the filter, were it not escaped', 'x)(uid=alice', 's3cret'],
    ['the DN of a user', `cn=person 0,${BASE}`, 's3cret'],
  ])('fails: %s', async (_, user, password) => {
    expect(await ldap().verify(user, password)).toEqual(failure)
  })

  test('with a name and a password of any letters', async () => {
    expect(await ldap().verify('ä*(b)\\c', 'wörd')).toEqual({ outcome: 'success', user: 'ä*(b)\\c' })
  })

  test('that fits two users is of neither, and the log says so', async () => {
    const { verify, lines } = ldap()
    expect(await verify('twin', 'same')).toEqual(failure)
    expect(lines).toMatchObject([{ event: 'ldap-user-ambiguous', user: 'twin' }])
    expect(await verify('one@example.com', 'same')).toMatchObject({ outcome: 'success' })
  })

  test('is one of many at once', async () => {
    const { verify } = ldap()
    const answers = await Promise.all(Array.from({ length: 30 }, (_, n) => verify('alice', n % 2 ? 's3cret' : 'x')))
    expect(answers.filter(({ outcome }) => outcome === 'success').length).toBe(15)
    expect(answers.filter(({ outcome }) => outcome === 'failure').length).toBe(15)
  })
})

describe('a directory that takes passwords over TLS only', () => {
  test('is asked by STARTTLS', async () => {
    expect(await ldap(wanted()).verify('alice', 's3cret')).toEqual(alice)
    expect(await ldap(wanted()).verify('alice', 'x')).toEqual(failure)
  })

  test('is asked by ldaps', async () => {
    expect(await ldap({ ...wanted(), url: strict.tls }).verify('alice', 's3cret')).toEqual(alice)
  })

  test('by its name, when that is in the certificate', async () => {
    const url = strict.clear.replace('127.0.0.1', 'localhost')
    expect(await ldap({ ...wanted(), url }).verify('alice', 's3cret')).toEqual(alice)
  })

  test.each([
    ['without TLS', { starttls: false }, 'ldap: bind as bind_dn: ConfidentialityRequiredError: '],
    ['when nobody vouches for its certificate', { ca: undefined }, 'ldap: Error: self-signed certificate'],
    ['by another name', { url: 'ldap://127.0.0.2' }, "does not match certificate's altnames"],
    ['as a searcher that it does not know', { bind_password: 'x' }, 'ldap: bind as bind_dn: InvalidCredentialsError'],
    ['by nobody', { bind_dn: undefined }, 'ldap: '],
    ['about a place that is not there', { base: 'ou=nowhere,dc=example,dc=com' }, 'ldap: NoSuchObjectError'],
  ])('cannot be asked %s, and that is no wrong password', async (_, settings, why) => {
    const relay = await forwardFrom('127.0.0.2', Number(new URL(strict.clear).port))
    const { url, ...others } = { ...wanted(), ...settings }
    const at = url.replace(/127\.0\.0\.2$/, `127.0.0.2:${relay.port}`)
    const answer = await ldap({ ...others, url: at } as Partial<LdapConfig>).verify('alice', 's3cret')
    relay.close()
    expect(answer).toEqual({ outcome: 'unavailable', why: expect.stringContaining(why) })
  })
})

describe('a directory that is away', () => {
  test('nobody listens', async () => {
    const server = await listen('127.0.0.1', () => {})
    const { port } = server.address() as AddressInfo
    server.close()
    await once(server, 'close')
    const answer = await ldap({ url: `ldap://127.0.0.1:${port}` }).verify('alice', 's3cret')
    expect(answer).toEqual({ outcome: 'unavailable', why: expect.stringContaining('ECONNREFUSED') })
  })

  test.each(['ldap', 'ldaps'])('someone listens and says nothing: %s', async scheme => {
    const sockets: Socket[] = []
    const server = await listen('127.0.0.1', socket => sockets.push(socket))
    const { port } = server.address() as AddressInfo
    const answer = await ldap({ url: `${scheme}://127.0.0.1:${port}`, timeout: 150 }).verify('alice', 's3cret')
    expect(answer).toEqual({ outcome: 'unavailable', why: 'ldap: no answer within 150 ms' })
    for (const socket of sockets) socket.destroy()
    server.close()
  })

  test('someone hangs up at once', async () => {
    const server = await listen('127.0.0.1', socket => socket.destroy())
    const { port } = server.address() as AddressInfo
    const { outcome } = await ldap({ url: `ldap://127.0.0.1:${port}` }).verify('alice', 's3cret')
    expect(outcome).toBe('unavailable')
    server.close()
  })

  test('we close while a login waits', async () => {
    const arrived = Promise.withResolvers<Socket>()
    const server = await listen('127.0.0.1', arrived.resolve)
    const { port } = server.address() as AddressInfo
    const { verify, close } = ldap({ url: `ldap://127.0.0.1:${port}` })
    const answer = verify('alice', 's3cret')
    const socket = await arrived.promise
    await close()
    expect(await answer).toEqual({ outcome: 'unavailable', why: 'ldap: Error: shutting down' })
    socket.destroy()
    server.close()
  })
})

test('an authority file that is not there is an error at the start', () => {
  expect(() => ldap({ ca: '/nonexistent/ca.pem' })).toThrow('/nonexistent/ca.pem')
})

test('an authority that has changed counts from the next login on', async () => {
  const other = await generate([{ name: 'commonName', value: 'another authority' }], { keySize: 2048 })
  const { readFileSync } = await import('node:fs')
  const right = readFileSync(open.ca)
  const { verify } = ldap()
  writeFileSync(open.ca, other.cert)
  expect((await verify('alice', 's3cret')).outcome).toBe('unavailable')
  writeFileSync(open.ca, right)
  expect(await verify('alice', 's3cret')).toEqual(alice)
})

async function listen(host: string, onConnection: (socket: Socket) => void): Promise<Server> {
  const server = createServer(onConnection)
  server.listen(0, host)
  await once(server, 'listening')
  return server
}

/** Another address for the same server. */
async function forwardFrom(host: string, to: number) {
  const { connect } = await import('node:net')
  const server = await listen(host, socket => {
    const onward = connect(to, '127.0.0.1')
    socket.pipe(onward).pipe(socket)
    socket.on('error', () => onward.destroy())
    onward.on('error', () => socket.destroy())
  })
  return { port: (server.address() as AddressInfo).port, close: () => server.close() }
}
