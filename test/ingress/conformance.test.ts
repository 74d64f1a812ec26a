// RFC 5321 as a dialogue, where session.test.ts and envelope.test.ts do not show it: what EHLO, HELO and RSET forget,
// what is kept of an envelope, limits that a server must have at least, pipelining (RFC 2920), enhanced codes.
import { describe, expect, test } from 'vitest'
import { type Dialogue, dial, greeted, inData } from './dialogue.ts'
import { start } from './start.ts'

async function repliesTo(client: Dialogue, lines: readonly string[]): Promise<string[]> {
  const replies = []
  for (const line of lines) replies.push(await client.say(line))
  return replies.map(reply => reply.slice(0, 3))
}

describe('the greeting of a client', () => {
  test.each([
    ['EHLO client.example', 250],
    ['EHLO client', 250],
    ['EHLO [192.0.2.1]', 250],
    ['EHLO [IPv6:2001:db8::1]', 250],
    ['EHLO exa_mple.test', 250],
    ['EHLO  client.example ', 250],
    ['HELO client.example', 250],
    ['helo [192.0.2.1]', 250],
    ['EHLO', 501],
    ['HELO', 501],
    ['EHLO two names', 501],
    ['EHLOclient.example', 500],
    ['EHLO bücher.example', 501],
    [`EHLO ${'x'.repeat(256)}`, 501],
  ])('%.40s is answered %i', async (line, code) => {
    const { port } = await start()
    const client = dial(port)
    await client.reply()
    expect(await client.say(line)).toMatch(new RegExp(`^${code}[- ]`))
  })

  test('by HELO names no extension, by EHLO one a line', async () => {
    const { port, accepted } = await start({ limits: { messageSize: 12_345 } })
    const client = dial(port)
    await client.reply()
    expect(await client.say('HELO client.example')).toBe('250 mx.example.com')
    const replies = ['MAIL FROM:<a@b.test>', 'RCPT TO:<bob@example.com>', 'DATA']
    expect(await repliesTo(client, replies)).toEqual(['250', '250', '354'])
    client.send('x\r\n.\r\n')
    await client.reply()
    expect(accepted()[0]?.message.client).toMatchObject({ helo: 'client.example', esmtp: false })
    const lines = (await client.say('EHLO client.example')).split('\n')
    expect(lines).toContain('250-SIZE 12345')
    expect(lines.slice(0, -1).every(line => line.startsWith('250-'))).toBe(true)
    expect(lines.at(-1)).toMatch(/^250 \w+$/)
  })
})

describe('a transaction is over', () => {
  test.each([
    ['RSET', 'RSET'],
    ['EHLO', 'EHLO again.example'],
    ['HELO', 'HELO again.example'],
  ])('after %s, and another may begin', async (_, line) => {
    const { port, accepted, isEmpty } = await start()
    const client = await greeted(port)
    await repliesTo(client, ['MAIL FROM:<old@b.test>', 'RCPT TO:<old@example.com>'])
    expect(await client.say(line)).toMatch(/^250/)
    expect(await repliesTo(client, ['DATA', 'RCPT TO:<bob@example.com>'])).toEqual(['503', '503'])
    expect(isEmpty()).toBe(true)
    const next = ['MAIL FROM:<new@b.test>', 'RCPT TO:<new@example.com>', 'DATA']
    expect(await repliesTo(client, next)).toEqual(['250', '250', '354'])
    client.send('x\r\n.\r\n')
    await client.reply()
    expect(accepted().map(({ message }) => message.envelope)).toMatchObject([
      { reversePath: 'new@b.test', recipients: [{ address: 'new@example.com' }] },
    ])
  })

  test('not after a refused EHLO, RCPT or MAIL, NOOP, VRFY, HELP or what is no command', async () => {
    const { port, accepted } = await start()
    const client = await greeted(port)
    await repliesTo(client, ['MAIL FROM:<a@b.test>', 'RCPT TO:<bob@example.com>'])
    const between = ['EHLO', 'RCPT TO:<x@elsewhere.test>', 'MAIL FROM:<c@d.test>', 'NOOP', 'VRFY bob', 'HELP', 'FOO']
    expect(await repliesTo(client, between)).toEqual(['501', '550', '503', '250', '252', '214', '500'])
    expect(await client.say('DATA')).toMatch(/^354 /)
    client.send('x\r\n.\r\n')
    expect(await client.reply()).toMatch(/^250 /)
    expect(accepted()[0]?.message.envelope.reversePath).toBe('a@b.test')
  })

  test('after the reply to its content, refused or not', async () => {
    const { port } = await start()
    const client = await inData(port)
    client.send('a\0b\r\n.\r\n')
    expect(await client.reply()).toMatch(/^550 /)
    expect(await repliesTo(client, ['DATA', 'RCPT TO:<bob@example.com>', 'MAIL FROM:<>'])).toEqual([
      '503',
      '503',
      '250',
    ])
  })
})

describe('of an envelope is kept', () => {
  test.each([
    ['<>', '', '<bob@example.com>', 'bob@example.com'],
    ['<Alice@B.Test>', 'Alice@b.test', '<BoB@EXAMPLE.com>', 'BoB@example.com'],
    ['<"a b"@b.test>', '"a b"@b.test', '<"bob@home"@example.com>', undefined],
    ['<"a\\"b"@b.test>', '"a\\"b"@b.test', '<"x y"@example.com>', '"x y"@example.com'],
    ['<"alice"@b.test>', 'alice@b.test', '<"bob"@example.com>', 'bob@example.com'],
    ['<"<>,;: "@b.test>', '"<>,;: "@b.test', '<bob@example.com>', 'bob@example.com'],
    ['<@x.test,@y.test:a@b.test>', 'a@b.test', '<@x.test:bob@example.com>', 'bob@example.com'],
    ['<a@[192.0.2.1]>', 'a@[192.0.2.1]', '<bob@example.com>', 'bob@example.com'],
    ['<a@[IPv6:2001:DB8::1]>', 'a@[ipv6:2001:db8::1]', '<bob@example.com>', 'bob@example.com'],
    ['<a/b=c+d!e%f@b.test>', 'a/b=c+d!e%f@b.test', '<bob+x/y@example.com>', 'bob+x/y@example.com'],
    [
      `<${'a'.repeat(64)}@b.test>`,
      `${'a'.repeat(64)}@b.test`,
      `<${'b'.repeat(64)}@example.com>`,
      `${'b'.repeat(64)}@example.com`,
    ],
  ])('%s as %s, and %s as %s', async (from, reversePath, to, recipient) => {
    const { port, accepted } = await start()
    const client = await greeted(port)
    expect(await client.say(`MAIL FROM:${from}`)).toMatch(/^250 2\.1\.0 /)
    expect(await client.say(`RCPT TO:${to}`)).toMatch(recipient === undefined ? /^550 / : /^250 2\.1\.5 /)
    await client.say('RCPT TO:<last@example.com>')
    await client.say('DATA')
    client.send('x\r\n.\r\n')
    expect(await client.reply()).toMatch(/^250 2\.0\.0 /)
    const addresses = [...(recipient === undefined ? [] : [recipient]), 'last@example.com']
    expect(accepted()[0]?.message.envelope).toMatchObject({
      reversePath,
      recipients: addresses.map(address => ({ address })),
    })
  })

  test('BODY and SMTPUTF8, and content of 8 bits with and without them', async () => {
    const { port, accepted } = await start()
    const client = await greeted(port)
    const octets = Buffer.from([...Array(256).keys()].filter(octet => ![0, 10, 13].includes(octet)))
    for (const parameters of ['', ' BODY=7BIT', ' body=8bitmime', ' SMTPUTF8 BODY=8BITMIME']) {
      await repliesTo(client, [`MAIL FROM:<a@b.test>${parameters}`, 'RCPT TO:<bob@example.com>', 'DATA'])
      client.send(octets)
      client.send('\r\n.\r\n')
      expect(await client.reply()).toMatch(/^250 /)
    }
    expect(accepted().map(({ message }) => [message.envelope.body, message.envelope.smtputf8])).toEqual([
      ['7BIT', false],
      ['7BIT', false],
      ['8BITMIME', false],
      ['8BITMIME', true],
    ])
    for (const { content } of accepted())
      expect(content.equals(Buffer.concat([octets, Buffer.from('\r\n')]))).toBe(true)
  })
})

describe('a server takes at least', () => {
  test('lines of 512 octets, paths of 254, text lines of 1000 and far more', async () => {
    const { port, accepted } = await start()
    const client = await greeted(port)
    const domain = [60, 60, 60, 4].map(length => 'd'.repeat(length)).join('.')
    const path = `${'l'.repeat(64)}@${domain}.x`
    expect(path.length).toBe(254)
    expect(await client.say(`MAIL FROM:<${path}>`)).toMatch(/^250 /)
    expect(await client.say(`RCPT TO:<${'@hop.test,'.repeat(20).slice(0, -1)}:bob@example.com>`)).toMatch(/^250 /)
    expect(await client.say(`NOOP ${'x'.repeat(505)}`)).toMatch(/^250 /)
    await client.say('DATA')
    for (const length of [998, 10_000, 100_000]) client.send(`${'x'.repeat(length)}\r\n`)
    client.send('.\r\n')
    expect(await client.reply()).toMatch(/^250 /)
    expect(accepted()[0]?.message.size).toBe(110_998 + 6)
  })

  test('a thousand messages in a session, each with a queue id of its own', async () => {
    const { port, accepted } = await start()
    const client = await greeted(port)
    const message = 'MAIL FROM:<a@b.test>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\nx\r\n.\r\n'
    client.send(`${message.repeat(1000)}QUIT\r\n`)
    const replies = await client.closed()
    expect(replies.match(/^250 2\.0\.0 Ok: queued as /gm)).toHaveLength(1000)
    expect(replies).toMatch(/221 2\.0\.0 Bye\r\n$/)
    expect(new Set(accepted().map(({ message }) => message.queueId)).size).toBe(1000)
  })
})

describe('pipelining', () => {
  test('keeps replies in the order of the commands, whoever of us was slow with one', async () => {
    let n = 0
    const recipient = () => new Promise<undefined>(resolve => setTimeout(resolve, n++ % 2 === 0 ? 15 : 0, undefined))
    const { port, accepted } = await start({ plugin: { recipient }, pluginTimeout: 5000 })
    const client = await greeted(port)
    const commands = Array.from(
      { length: 10 },
      (_, to) => `RCPT TO:<user${to}@${to === 5 ? 'else.test' : 'example.com'}>`,
    )
    client.send(['MAIL FROM:<a@b.test>', ...commands, 'NOOP', 'DATA', ''].join('\r\n'))
    const codes = []
    for (let to = 0; to < 13; to++) codes.push((await client.reply()).slice(0, 3))
    expect(codes).toEqual(['250', ...commands.map((_, to) => (to === 5 ? '550' : '250')), '250', '354'])
    client.send('x\r\n.\r\n')
    await client.reply()
    expect(accepted()[0]?.job.recipients).toHaveLength(9)
  })

  test('of DATA behind nothing but refused recipients gets no 354: the content is not taken for commands that count', async () => {
    const { port, isEmpty } = await start()
    const client = await greeted(port)
    client.send('MAIL FROM:<a@b.test>\r\nRCPT TO:<x@elsewhere.test>\r\nDATA\r\n')
    for (const code of [250, 550, 554]) expect(await client.reply()).toMatch(new RegExp(`^${code} `))
    // RFC 2920 §3.1: a client that is told so may still send a lone dot.
    expect(await client.say('.')).toMatch(/^500 /)
    expect(await client.say('RSET')).toBe('250 2.0.0 Ok')
    expect(isEmpty()).toBe(true)
  })

  test('of a MAIL that is refused refuses all that was said behind it', async () => {
    const { port, isEmpty } = await start()
    const client = await greeted(port)
    client.send('MAIL FROM:<bad>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\nRSET\r\n')
    for (const code of [501, 503, 503, 250]) expect(await client.reply()).toMatch(new RegExp(`^${code} `))
    expect(isEmpty()).toBe(true)
  })
})

test('every reply but greetings, 250 to HELO and 354 has an enhanced code of its class', async () => {
  const { port } = await start({ limits: { errors: 100, softErrors: 100 } })
  const client = await greeted(port)
  const lines = [
    ...[
      'NOOP',
      'RSET',
      'VRFY x',
      'EXPN x',
      'HELP',
      'FOO',
      'AUTH PLAIN',
      'STARTTLS',
      'BDAT 1',
      'DATA',
      'RCPT TO:<a@b.test>',
    ],
    ...['MAIL FROM:x', 'MAIL FROM:<x>', 'MAIL FROM:<a@b.test> X=1', 'MAIL FROM:<a@b.test> SIZE=9999999999', 'RSET x'],
    ...['MAIL FROM:<a@b.test>', 'RCPT TO:x', 'RCPT TO:<x>', 'RCPT TO:<a@b.test>', 'RCPT TO:<bob@example.com>', 'QUIT'],
  ]
  for (const line of lines) expect(await client.say(line)).toMatch(/^([245])\d\d \1\.\d{1,3}\.\d{1,3} [ -~]+$/)
})
