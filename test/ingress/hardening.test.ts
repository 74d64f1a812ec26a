// Dialogues that mean harm: loops and guesses. Each costs its own session and nobody else's. What is done with octets
// and silence: hardening-connection.test.ts; sizes and times in general: limits.test.ts.
import { describe, expect, test } from 'vitest'
import { type Dialogue, greeted } from './dialogue.ts'
import { dialSecurely, startModes } from './modes.ts'
import { start } from './start.ts'

/** Says it over and over, without waiting, until the server closes; the replies. */
async function repeat(client: Dialogue, line: string, times: number): Promise<string[]> {
  client.send(`${line}\r\n`.repeat(times))
  const replies = (await client.closed()).split('\r\n')
  return replies.filter(reply => /^\d{3} /.test(reply))
}

describe('a loop of', () => {
  test.each(['NOOP', 'RSET', 'EHLO c', 'HELO c', 'VRFY bob', 'HELP'])('%s ends the session', async line => {
    const { port } = await start({ limits: { softErrors: 1e9 } })
    const replies = await repeat(await greeted(port), line, 1000)
    expect(replies.length).toBeGreaterThan(90)
    expect(replies.length).toBeLessThan(200)
    expect(replies.at(-1)).toMatch(/^421 4\.7\.0 /)
  })

  test('MAIL and RSET ends the session, and keeps no transaction', async () => {
    const { port, isEmpty } = await start({ limits: { softErrors: 1e9 } })
    const replies = await repeat(await greeted(port), 'MAIL FROM:<a@b.test>\r\nRCPT TO:<bob@example.com>\r\nRSET', 1000)
    expect(replies.length).toBeLessThan(500)
    expect(replies.at(-1)).toMatch(/^421 4\.7\.0 /)
    expect(isEmpty()).toBe(true)
  })

  test.each([
    ['commands that are none', 'FOO'],
    ['AUTH where there is none', 'AUTH PLAIN AGEAYg=='],
    ['STARTTLS where there is none', 'STARTTLS'],
    ['DATA out of place', 'DATA'],
    ['RCPT out of place', 'RCPT TO:<bob@example.com>'],
    ['lines with a bare LF', 'NOOP\nNOOP'],
    ['lines that are too long', `NOOP ${'x'.repeat(3000)}`],
    ['XCLIENT of a stranger', 'XCLIENT ADDR=192.0.2.1'],
    ['XFORWARD of a stranger', 'XFORWARD ADDR=192.0.2.1'],
  ])('%s ends the session', async (_, line) => {
    const { port, metric } = await start({ limits: { errors: 5 } })
    const replies = await repeat(await greeted(port), line, 100)
    expect(replies).toHaveLength(6)
    expect(replies.at(-1)).toMatch(/^421 4\.7\.0 /)
    expect(await metric('elemta_connection_errors_total{reason="errors"}')).toBe(1)
  })

  test('logins in the open ends the session', async () => {
    const { submission } = await startModes({ limits: { errors: 5 } })
    const replies = await repeat(await greeted(submission), 'AUTH LOGIN', 100)
    expect(replies).toHaveLength(6)
  })

  test('cancelled logins ends the session', async () => {
    const { submissions } = await startModes({ limits: { errors: 5 } })
    const client = await dialSecurely(submissions)
    await client.reply()
    await client.say('EHLO c')
    const replies = await repeat(client, 'AUTH LOGIN\r\n*', 100)
    expect(replies.filter(reply => !reply.startsWith('334'))).toHaveLength(6)
  })
})

describe('recipients that are refused', () => {
  test('end the session when they are many, although mail is accepted in between', async () => {
    const { port, accepted, metric } = await start({ limits: { refusedRecipients: 5 } })
    const client = await greeted(port)
    const replies = []
    for (let round = 0; round < 3; round++) {
      client.send('MAIL FROM:<a@b.test>\r\nRCPT TO:<bob@example.com>\r\n')
      for (let n = 0; n < 2; n++) replies.push(await client.reply())
      for (let n = 0; n < 2; n++) replies.push(await client.say(`RCPT TO:<user${n}@elsewhere.test>`))
      if (replies.at(-1)?.startsWith('421')) break
      await client.say('DATA')
      client.send('x\r\n.\r\n')
      replies.push(await client.reply())
    }
    expect(replies.filter(reply => reply.startsWith('550'))).toHaveLength(5)
    expect(replies.at(-1)).toMatch(/^421 4\.7\.0 Too many refused recipients/)
    await client.closed()
    expect(accepted()).toHaveLength(2)
    expect(await metric('elemta_connection_errors_total{reason="refused-recipients"}')).toBe(1)
  })

  test('and other errors are answered slowly from some on; nobody else waits, and nothing is taken meanwhile', async () => {
    const { port } = await start({ limits: { softErrors: 1 } })
    const client = await greeted(port)
    expect(await client.say('FOO')).toMatch(/^500 /)
    let answered = false
    const late = client.say('FOO\r\nNOOP').then(reply => {
      answered = true
      return reply
    })
    const other = await greeted(port)
    for (let n = 0; n < 50; n++) expect(await other.say('NOOP')).toMatch(/^250 /)
    expect(answered).toBe(false)
    expect(await late).toMatch(/^500 /)
    expect(await client.reply()).toBe('250 2.0.0 Ok')
  })

  test('and a client that is gone while it is to wait leaves nothing behind', async () => {
    const { port, metric } = await start({ limits: { softErrors: 0 } })
    const client = await greeted(port)
    client.send('FOO\r\nFOO\r\n')
    client.socket.resetAndDestroy()
    await expect.poll(() => metric('elemta_connections_active')).toBe(0)
  })
})

describe('what tells nothing', () => {
  test('VRFY and EXPN say the same of everybody, and leave a transaction as it is', async () => {
    const { port, accepted } = await start({
      plugin: { recipient: () => Promise.reject(new Error('nobody may ask')) },
    })
    const client = await greeted(port)
    await client.say('MAIL FROM:<a@b.test>')
    for (const verb of ['VRFY', 'EXPN']) {
      const replies = new Set<string>()
      for (const name of [
        'bob',
        'bob@example.com',
        '<bob@example.com>',
        'nobody',
        'root',
        'postmaster',
        '|/bin/sh',
        '',
      ]) {
        replies.add(await client.say(`${verb} ${name}`))
      }
      expect(replies.size).toBe(1)
      expect([...replies][0]).toMatch(verb === 'VRFY' ? /^252 2\.0\.0 / : /^502 5\.5\.1 /)
    }
    expect(await client.say('MAIL FROM:<a@b.test>')).toMatch(/^503 /)
    expect(accepted()).toEqual([])
  })

  test('what was said is not echoed, and no reply is more than lines of printable ASCII', async () => {
    const { port } = await start({ limits: { errors: 1e9, softErrors: 1e9 } })
    const client = await greeted(port)
    const marks = ['<script>', '\x1b[31m', '\x07', '\xff', '\x9b31m', 'Zaunkönig', '%s%n', '\r250 Ok', '\n250 Ok']
    const lines = marks.flatMap(mark => [
      ...[`EHLO ${mark}`, mark, `MAIL FROM:<${mark}@b.test>`, `MAIL FROM:<a@b.test> ${mark}=1`, 'MAIL FROM:<a@b.test>'],
      ...[`RCPT TO:<${mark}@elsewhere.test>`, `RCPT TO:<bob@${mark}>`, `VRFY ${mark}`, `HELP ${mark}`, 'RSET'],
    ])
    for (const line of lines) {
      client.send(`${line}\r\n`)
      const reply = await client.reply()
      expect(reply).toMatch(/^(?:[245]\d\d[ -][ -~]*\n?)+$/)
      expect(reply).not.toMatch(/script|Zaunk|%s|\[31m|250 Ok$/)
    }
  })
})
