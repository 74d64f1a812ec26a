// AUTH (RFC 4954) on the wire: where it is offered, in which order it may be said, and what a wrong one costs.
import { describe, expect, test } from 'vitest'
import { type Dialogue, dial, greeted } from './dialogue.ts'
import { CREDENTIALS, dialSecurely, loggedIn, startModes, startTls } from './modes.ts'

const base64 = (text: string) => Buffer.from(text, 'latin1').toString('base64')
const WRONG = base64('\0bob\0guess')

async function greetedSecurely(port: number): Promise<Dialogue> {
  const client = await dialSecurely(port)
  await client.reply()
  await client.say('EHLO laptop.example')
  return client
}

describe('AUTH is offered', () => {
  test('over TLS on submission listeners, not in the open and not on mx', async () => {
    const { mx, submission, submissions } = await startModes()
    for (const port of [mx, submission]) {
      const client = dial(port)
      await client.reply()
      expect(await client.say('EHLO c')).not.toContain('AUTH')
      const secure = await startTls(client)
      const offered = (await secure.say('EHLO c')).includes('250-AUTH PLAIN LOGIN')
      const last = (await secure.say('EHLO c')).endsWith('250 AUTH PLAIN LOGIN')
      expect(offered || last).toBe(port === submission)
    }
    const client = await dialSecurely(submissions)
    await client.reply()
    expect(await client.say('EHLO c')).toContain('AUTH PLAIN LOGIN')
    expect(await client.say('HELO c')).toBe('250 mx.example.com')
  })

  test('nowhere when nobody can log in', async () => {
    const { submissions } = await startModes({ login: undefined })
    const client = await dialSecurely(submissions)
    await client.reply()
    expect(await client.say('EHLO c')).not.toContain('AUTH')
    expect(await client.say(`AUTH PLAIN ${CREDENTIALS}`)).toMatch(/^502 5\.5\.1 /)
    expect(await client.say('MAIL FROM:<a@b.test>')).toMatch(/^530 5\.7\.0 /)
  })
})

describe('AUTH is refused', () => {
  test('on mx, TLS or not', async () => {
    const { mx, logged } = await startModes()
    const client = await greeted(mx)
    expect(await client.say(`AUTH PLAIN ${CREDENTIALS}`)).toMatch(/^502 5\.5\.1 /)
    const secure = await startTls(client)
    await secure.say('EHLO c')
    expect(await secure.say(`AUTH PLAIN ${CREDENTIALS}`)).toMatch(/^502 5\.5\.1 /)
    await secure.say('QUIT')
    await expect.poll(() => logged('session-ended')).toHaveLength(1)
    expect(logged('session-ended')[0]).not.toHaveProperty('user')
  })

  test('in the open, and so is mail', async () => {
    const { submission } = await startModes()
    const client = await greeted(submission)
    expect(await client.say(`AUTH PLAIN ${CREDENTIALS}`)).toMatch(/^530 5\.7\.0 /)
    expect(await client.say('AUTH LOGIN')).toMatch(/^530 5\.7\.0 /)
    expect(await client.say('MAIL FROM:<bob@example.com>')).toMatch(/^530 5\.7\.0 /)
    const secure = await startTls(client)
    await secure.say('EHLO c')
    expect(await secure.say('MAIL FROM:<bob@example.com>')).toMatch(/^530 5\.7\.0 /)
    expect(await secure.say('RCPT TO:<bob@example.com>')).toMatch(/^503 5\.5\.1 /)
    expect(await secure.say('DATA')).toMatch(/^503 5\.5\.1 /)
  })

  test('before EHLO', async () => {
    const { submissions } = await startModes()
    const client = await dialSecurely(submissions)
    await client.reply()
    expect(await client.say(`AUTH PLAIN ${CREDENTIALS}`)).toMatch(/^503 5\.5\.1 /)
  })

  test.each([
    ['AUTH', /^501 5\.5\.4 /],
    ['AUTH PLAIN a b', /^501 5\.5\.4 /],
    ['AUTH CRAM-MD5', /^504 5\.5\.4 /],
    ['AUTH GSSAPI =', /^504 5\.5\.4 /],
    ['AUTH PLAIN not*base64', /^501 5\.5\.2 /],
    [`AUTH PLAIN ${CREDENTIALS.slice(0, -1)}`, /^501 5\.5\.2 /],
    ['AUTH PLAIN =', /^501 5\.5\.2 /],
    [`AUTH PLAIN ${base64('bob secret')}`, /^501 5\.5\.2 /],
    [`AUTH PLAIN ${base64('\0\xff\0secret')}`, /^501 5\.5\.2 /],
    [`AUTH PLAIN ${base64('alice\0bob\0secret')}`, /^535 5\.7\.8 /],
    [`AUTH PLAIN ${WRONG}`, /^535 5\.7\.8 /],
    [`AUTH PLAIN ${base64('\0\0')}`, /^535 5\.7\.8 /],
    [`AUTH PLAIN ${base64('\0bob\r\n250 Ok\0secret')}`, /^535 5\.7\.8 /],
    [`AUTH PLAIN ${'A'.repeat(13_000)}`, /^500 5\.5\.2 /],
  ])('%.60s', async (line, reply) => {
    const { submissions } = await startModes()
    const client = await greetedSecurely(submissions)
    expect(await client.say(line)).toMatch(reply)
    expect(await client.say('MAIL FROM:<a@b.test>')).toMatch(/^530 5\.7\.0 /)
    expect(await client.say(`AUTH PLAIN ${CREDENTIALS}`)).toMatch(/^235 2\.7\.0 /)
  })

  test('a second time, and in a transaction', async () => {
    const { submissions } = await startModes()
    const client = await loggedIn(submissions)
    expect(await client.say(`AUTH PLAIN ${CREDENTIALS}`)).toMatch(/^503 5\.5\.1 /)
    await client.say('MAIL FROM:<a@b.test>')
    expect(await client.say('AUTH LOGIN')).toMatch(/^503 5\.5\.1 /)
    expect(await client.say('RCPT TO:<bob@elsewhere.test>')).toMatch(/^250 /)
  })

  test('three times wrong, and the connection ends', async () => {
    const { submissions } = await startModes()
    const client = await greetedSecurely(submissions)
    expect(await client.say(`AUTH PLAIN ${WRONG}`)).toMatch(/^535 5\.7\.8 /)
    await client.say('RSET')
    await client.say('AUTH LOGIN')
    await client.say(base64('bob'))
    expect(await client.say(base64('guess'))).toMatch(/^535 5\.7\.8 /)
    client.send(`AUTH PLAIN ${WRONG}\r\nAUTH PLAIN ${CREDENTIALS}\r\n`)
    expect(await client.reply()).toMatch(/^421 4\.7\.0 /)
    expect(await client.closed()).toBe('')
  })

  test('for a while when the login cannot be checked', async () => {
    const login = () => Promise.reject(new Error('the directory is down'))
    const { submissions } = await startModes({ login })
    const client = await greetedSecurely(submissions)
    expect(await client.say(`AUTH PLAIN ${CREDENTIALS}`)).toMatch(/^454 4\.7\.0 /)
    expect(await client.say('NOOP')).toMatch(/^250 /)
  })
})

describe('an AUTH exchange', () => {
  test('goes line by line, in PLAIN and in LOGIN', async () => {
    const { submissions } = await startModes()
    const plain = await greetedSecurely(submissions)
    expect(await plain.say('auth plain')).toBe('334')
    expect(await plain.say(CREDENTIALS)).toMatch(/^235 2\.7\.0 /)
    const login = await greetedSecurely(submissions)
    expect(await login.say('AUTH LOGIN')).toBe(`334 ${base64('Username:')}`)
    expect(await login.say(base64('bob'))).toBe(`334 ${base64('Password:')}`)
    expect(await login.say(base64('secret'))).toMatch(/^235 2\.7\.0 /)
    const short = await greetedSecurely(submissions)
    expect(await short.say(`AUTH LOGIN ${base64('bob')}`)).toBe(`334 ${base64('Password:')}`)
    expect(await short.say(base64('secret'))).toMatch(/^235 2\.7\.0 /)
  })

  test('is cancelled by *, and takes nothing for a command meanwhile', async () => {
    const { submissions } = await startModes()
    const client = await greetedSecurely(submissions)
    await client.say('AUTH LOGIN')
    expect(await client.say('*')).toMatch(/^501 5\.0\.0 /)
    await client.say('AUTH PLAIN')
    expect(await client.say('QUIT')).toMatch(/^(?:501|535) 5\./)
    expect(await client.say('NOOP')).toBe('250 2.0.0 Ok')
    expect(await client.say('MAIL FROM:<a@b.test>')).toMatch(/^530 /)
  })

  test('takes a line of 12,288 octets', async () => {
    const seen: string[] = []
    const { submissions } = await startModes({
      async login({ password }) {
        seen.push(password)
        return { outcome: 'success', user: 'bob@example.com' }
      },
    })
    const client = await greetedSecurely(submissions)
    await client.say('AUTH LOGIN')
    await client.say(base64('bob'))
    const token = 'x'.repeat(4096)
    expect(await client.say(base64(token))).toMatch(/^235 /)
    expect(seen).toEqual([token])
  })

  test('is over when the client is gone while it is asked; nobody else waits', async () => {
    let answer = () => {}
    let asked = () => {}
    const reached = new Promise<void>(resolve => (asked = resolve))
    const { submissions, metric } = await startModes({
      login: () => {
        asked()
        return new Promise(resolve => {
          answer = () => resolve({ outcome: 'success', user: 'bob@example.com' })
        })
      },
    })
    const client = await greetedSecurely(submissions)
    client.send(`AUTH PLAIN ${CREDENTIALS}\r\n`)
    await reached
    const other = await greetedSecurely(submissions)
    client.hangUp()
    answer()
    expect(await other.say('NOOP')).toBe('250 2.0.0 Ok')
    await expect.poll(() => metric('elemta_connections_active')).toBe(1)
  })
})

describe('a user', () => {
  test('may send anywhere, AUTH= and all, until the session ends; EHLO changes nothing of it', async () => {
    const { submissions, accepted } = await startModes()
    const client = await loggedIn(submissions)
    await client.say('EHLO other.example')
    expect(await client.say('MAIL FROM:<alice@b.test> AUTH=<>')).toMatch(/^250 /)
    expect(await client.say('RCPT TO:<bob@elsewhere.test>')).toMatch(/^250 /)
    await client.say('DATA')
    client.send('x\r\n.\r\n')
    expect(await client.reply()).toMatch(/^250 /)
    expect(accepted()[0]?.message.client).toMatchObject({ user: 'bob@example.com', helo: 'other.example' })
    const stranger = await greetedSecurely(submissions)
    expect(await stranger.say('MAIL FROM:<alice@b.test>')).toMatch(/^530 /)
  })

  test('may be held to addresses of its own', async () => {
    const { submissions } = await startModes({ ownAddressesOnly: true })
    const client = await loggedIn(submissions)
    expect(await client.say('MAIL FROM:<alice@example.com>')).toMatch(/^553 5\.7\.1 /)
    expect(await client.say('MAIL FROM:<BOB@example.com>')).toMatch(/^250 /)
    await client.say('RSET')
    expect(await client.say('MAIL FROM:<>')).toMatch(/^250 /)
  })
})
