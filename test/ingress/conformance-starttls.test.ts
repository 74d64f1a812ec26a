// STARTTLS (RFC 3207): where it is offered, what it forgets, and that nothing said in the open is done behind it.
import { once } from 'node:events'
import { connect } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { dial, greeted } from './dialogue.ts'
import { dialSecurely, loggedIn, secured, startModes, startTls } from './modes.ts'
import { start } from './start.ts'

const keywords = (reply: string) => reply.split('\n').map(line => line.slice(4).split(' ')[0])

const message = 'MAIL FROM:<evil@b.test>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\nx\r\n.\r\n'

describe('STARTTLS', () => {
  test('is offered until it was said, on the listeners that begin in the open', async () => {
    const { mx, submission, submissions } = await startModes()
    for (const port of [mx, submission]) {
      const client = dial(port)
      await client.reply()
      expect(keywords(await client.say('EHLO c'))).toContain('STARTTLS')
      const secure = await startTls(client)
      expect(keywords(await secure.say('EHLO c'))).not.toContain('STARTTLS')
      expect(await secure.say('STARTTLS')).toMatch(/^503 5\.5\.1 /)
      expect(await secure.say('NOOP')).toBe('250 2.0.0 Ok')
    }
    const client = await dialSecurely(submissions)
    expect(await client.reply()).toMatch(/^220 mx\.example\.com /)
    expect(keywords(await client.say('EHLO c'))).not.toContain('STARTTLS')
    expect(await client.say('STARTTLS')).toMatch(/^503 5\.5\.1 /)
  })

  test('is neither offered nor known without a certificate', async () => {
    const { port } = await start()
    const client = dial(port)
    await client.reply()
    expect(keywords(await client.say('EHLO c'))).not.toContain('STARTTLS')
    expect(await client.say('STARTTLS')).toMatch(/^502 5\.5\.1 /)
  })

  test('takes no argument, and may be the first command', async () => {
    const { mx } = await startModes()
    const client = dial(mx)
    await client.reply()
    expect(await client.say('STARTTLS now')).toMatch(/^501 5\.5\.4 /)
    const secure = await startTls(client)
    expect(await secure.say('EHLO c')).toMatch(/^250-/)
  })

  test('forgets all that was said before: EHLO, and a transaction', async () => {
    const { mx, isEmpty, accepted } = await startModes()
    const client = await greeted(mx)
    await client.say('MAIL FROM:<a@b.test>')
    await client.say('RCPT TO:<bob@example.com>')
    const secure = await startTls(client)
    expect(await secure.say('DATA')).toMatch(/^503 5\.5\.1 /)
    expect(await secure.say('MAIL FROM:<a@b.test>')).toMatch(/^503 5\.5\.1 /)
    expect(isEmpty()).toBe(true)
    await secure.say('EHLO other.example')
    await secure.say('MAIL FROM:<a@b.test>')
    expect(await secure.say('DATA')).toMatch(/^554 5\.5\.1 /)
    await secure.say('RCPT TO:<bob@example.com>')
    await secure.say('DATA')
    secure.send('x\r\n.\r\n')
    expect(await secure.reply()).toMatch(/^250 /)
    expect(accepted()[0]?.message.client).toMatchObject({
      helo: 'other.example',
      tls: expect.stringMatching(/^TLSv1\.3 TLS_/),
    })
  })

  test('does not forgive the errors that were made before', async () => {
    const { mx } = await startModes({ limits: { errors: 3 } })
    const client = await greeted(mx)
    for (let n = 0; n < 3; n++) await client.say('FOO')
    const secure = await startTls(client)
    expect(await secure.say('FOO')).toMatch(/^421 4\.7\.0 /)
  })

  test.each([
    ['one command', 'NOOP\r\n'],
    ['a whole message', `EHLO evil.example\r\n${message}`],
    ['500 commands', 'NOOP\r\n'.repeat(500)],
    ['half a command', 'EHLO evil.exam'],
    ['a line that is too long, and its end missing', 'x'.repeat(3000)],
    ['STARTTLS once more', 'STARTTLS\r\n'],
  ])('drops %s in the same segment', async (_, injected) => {
    const { mx, isEmpty, logged } = await startModes()
    const client = await greeted(mx)
    client.send(`STARTTLS\r\n${injected}`)
    expect(await client.reply()).toMatch(/^220 2\.0\.0 /)
    const secure = await secured(client)
    expect(await secure.say('VRFY me')).toMatch(/^252 /)
    expect(await secure.say('MAIL FROM:<a@b.test>')).toMatch(/^503 5\.5\.1 Say EHLO/)
    expect(await secure.say('EHLO c')).toMatch(/^250-/)
    await secure.say('QUIT')
    expect(await secure.closed()).toBe('')
    expect(isEmpty()).toBe(true)
    await expect.poll(() => logged('session-ended')).toMatchObject([{ commands: { starttls: 1, ehlo: 2 } }])
  })

  test('with commands in segments behind it is no handshake; nothing of them is done', async () => {
    const { mx, isEmpty, metric } = await startModes()
    const client = await greeted(mx)
    await client.say('STARTTLS')
    client.send(`EHLO c\r\n${message}`)
    expect(await client.closed()).not.toMatch(/^[2-5]\d\d/)
    expect(isEmpty()).toBe(true)
    await expect.poll(() => metric('elemta_tls_handshake_failures_total')).toBe(1)
  })

  test('is waited for behind the replies to what was pipelined before it', async () => {
    const { mx } = await startModes({ plugin: { sender: async () => undefined } })
    const client = await greeted(mx)
    client.send('NOOP\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<bob@example.com>\r\nSTARTTLS\r\nNOOP\r\n')
    for (const code of [250, 250, 250, 220]) expect(await client.reply()).toMatch(new RegExp(`^${code} `))
    const secure = await secured(client)
    expect(await secure.say('EHLO c')).toMatch(/^250-/)
  })
})

describe('TLS', () => {
  test('works when every octet comes in a segment of its own', async () => {
    const { mx, accepted } = await startModes()
    const client = dial(mx)
    await client.reply()
    await client.sendBytewise('EHLO c\r\nSTARTTLS\r\n')
    expect(await client.reply()).toMatch(/^250-/)
    expect(await client.reply()).toMatch(/^220 /)
    const secure = await secured(client)
    await secure.sendBytewise(
      'EHLO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\n..\r\n.\r\nQUIT\r\n',
    )
    const codes = []
    for (let n = 0; n < 6; n++) codes.push((await secure.reply()).slice(0, 3))
    expect(codes).toEqual(['250', '250', '250', '354', '250', '221'])
    expect(accepted()[0]?.content.toString()).toBe('.\r\n')
  })

  test('works when everything comes at once behind the handshake', async () => {
    const { submissions, accepted } = await startModes()
    const client = await loggedIn(submissions)
    client.send(`${message}${message}QUIT\r\nNOOP\r\n`)
    const codes = []
    for (let n = 0; n < 9; n++) codes.push((await client.reply()).slice(0, 3))
    expect(codes).toEqual(['250', '250', '354', '250', '250', '250', '354', '250', '221'])
    expect(await client.closed()).toBe('')
    expect(accepted()).toHaveLength(2)
  })

  test('older than 1.2 is not spoken', async () => {
    const { submissions, mx, metric } = await startModes()
    const refused = connect({
      port: submissions,
      host: '127.0.0.1',
      rejectUnauthorized: false,
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT:@SECLEVEL=0',
    })
    const [error] = await once(refused, 'error')
    expect(String(error)).toMatch(/alert|version/)
    await expect.poll(() => metric('elemta_tls_handshake_failures_total')).toBe(1)
    expect(await dial(mx).reply()).toMatch(/^220 /)
  })
})
