import { describe, expect, test } from 'vitest'
import { dial, greeted, inData } from './dialogue.ts'
import { start } from './start.ts'

const QUEUE_ID = /[0-9A-HJKMNP-TV-Z]{20}/

describe('a session', () => {
  test('takes a message from greeting to QUIT, its queue id in every reply', async () => {
    const { port, accepted, logged, metric } = await start()
    const client = dial(port)
    expect(await client.reply()).toBe('220 mx.example.com ESMTP Elemta')
    expect(await client.say('EHLO client.example')).toBe(
      [
        '250-mx.example.com',
        '250-PIPELINING',
        '250-SIZE 1000000',
        '250-8BITMIME',
        '250-SMTPUTF8',
        '250-ENHANCEDSTATUSCODES',
        '250 DSN',
      ].join('\n'),
    )
    const mail = await client.say('MAIL FROM:<alice@sender.example> BODY=8BITMIME SIZE=500')
    const queueId = QUEUE_ID.exec(mail)?.[0]
    expect(mail).toBe(`250 2.1.0 Ok (${queueId})`)
    expect(await client.say('RCPT TO:<Bob@Example.COM>')).toBe(`250 2.1.5 Ok (${queueId})`)
    expect(await client.say('RCPT TO:<carol@elsewhere.test>')).toMatch(new RegExp(`^550 5\\.7\\.1 .*${queueId}`))
    expect(await client.say('DATA')).toBe(`354 End data with <CR><LF>.<CR><LF> (${queueId})`)
    client.send('Message-ID: <1@sender.example>\r\nSubject: x\r\n\r\nHéllo\r\n..dot\r\n.\r\n')
    expect(await client.reply()).toBe(`250 2.0.0 Ok: queued as ${queueId}`)
    expect(await client.say('QUIT')).toBe('221 2.0.0 Bye')
    expect(await client.closed()).toBe('')

    const [stored, ...others] = accepted()
    expect(others).toEqual([])
    expect(stored?.content.toString('latin1')).toBe(
      'Message-ID: <1@sender.example>\r\nSubject: x\r\n\r\nHéllo\r\n.dot\r\n',
    )
    expect(stored?.message).toMatchObject({
      queueId,
      client: { address: '127.0.0.1', helo: 'client.example', esmtp: true },
      envelope: {
        reversePath: 'alice@sender.example',
        recipients: [{ address: 'Bob@example.com' }],
        smtputf8: false,
        body: '8BITMIME',
      },
      size: stored?.content.length,
      messageId: '<1@sender.example>',
    })
    expect(stored?.event).toMatchObject({ event: 'accepted', reply: `250 2.0.0 Ok: queued as ${queueId}` })
    expect(stored?.job).toEqual({
      kind: 'scan',
      id: `${queueId}/scan/1`,
      queueId,
      recipients: ['Bob@example.com'],
      attempt: 1,
    })
    expect(logged('accepted')).toMatchObject([{ queueId, recipients: 1, client: '127.0.0.1' }])
    expect(logged('rejected')).toMatchObject([{ queueId, stage: 'rcpt', recipient: 'carol@elsewhere.test' }])
    expect(await metric('elemta_messages_received_total')).toBe(1)
    expect(await metric('elemta_messages_rejected_total{stage="rcpt"}')).toBe(1)
  })

  test('what is urgent by its facts is so from the first job on', async () => {
    const priority = { enabled: true, size: 100, recipients: 1, authenticated_only: false }
    const { port, accepted } = await start({ priority })
    const client = await inData(port)
    for (const content of ['Subject: a', 'Precedence: bulk', `X-Large: ${'x'.repeat(100)}`]) {
      client.send(`${content}\r\n\r\n.\r\n`)
      await client.reply()
      await client.say('MAIL FROM:<alice@sender.example>')
      await client.say('RCPT TO:<bob@example.com>')
      await client.say('DATA')
    }
    expect(accepted().map(({ message, job }) => [message.priority, job?.priority])).toEqual([
      ['high', 'high'],
      ['low', 'low'],
      [undefined, undefined],
    ])
  })

  test('takes a second message on the same connection under another queue id', async () => {
    const { port, accepted } = await start()
    const client = await inData(port)
    client.send('one\r\n.\r\n')
    await client.reply()
    await client.say('MAIL FROM:<>')
    await client.say('RCPT TO:<bob@example.com>')
    await client.say('DATA')
    client.send('two\r\n.\r\n')
    expect(await client.reply()).toMatch(/^250 /)
    const [one, two] = accepted()
    expect(one?.message.queueId).not.toBe(two?.message.queueId)
    expect(two?.message.envelope.reversePath).toBe('')
    expect(two?.content.toString()).toBe('two\r\n')
  })

  test('works when every octet comes in a segment of its own', async () => {
    const { port, accepted } = await start()
    const client = dial(port)
    await client.reply()
    await client.sendBytewise(
      'EHLO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\nA: 1\r\n\r\n..\r\n.\r\nQUIT\r\n',
    )
    const codes = []
    for (let n = 0; n < 6; n++) codes.push((await client.reply()).slice(0, 3))
    expect(codes).toEqual(['250', '250', '250', '354', '250', '221'])
    expect(accepted()[0]?.content.toString()).toBe('A: 1\r\n\r\n.\r\n')
  })

  test('works when everything comes at once, and drops what follows QUIT', async () => {
    const { port, accepted } = await start()
    const client = dial(port)
    client.send(
      'EHLO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<bob@example.com>\r\nRCPT TO:<no@where.test>\r\nDATA\r\nx\r\n.\r\n' +
        'MAIL FROM:<a@b.test>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\ny\r\n.\r\nQUIT\r\nNOOP\r\nNOOP\r\n',
    )
    const codes = []
    for (let n = 0; n < 11; n++) codes.push((await client.reply()).slice(0, 3))
    expect(codes).toEqual(['220', '250', '250', '250', '550', '354', '250', '250', '250', '354', '250'])
    expect(await client.reply()).toMatch(/^221 /)
    expect(await client.closed()).toBe('')
    expect(accepted().map(({ content }) => content.toString())).toEqual(['x\r\n', 'y\r\n'])
  })

  test('closes when the client does, whatever it says after QUIT', async () => {
    const { port, metric } = await start()
    const client = await greeted(port, { allowHalfOpen: true })
    await client.say('QUIT')
    client.send('NOOP\r\n'.repeat(100_000))
    client.socket.end()
    await expect.poll(() => metric('elemta_connections_active')).toBe(0)
    expect(await client.closed()).toBe('')
  })

  test('answers a client that closes its side right behind QUIT or the dot', async () => {
    const { port, accepted } = await start()
    const client = dial(port, { allowHalfOpen: true })
    client.socket.end('EHLO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\nx\r\n.\r\n')
    expect(await client.closed()).toMatch(/250 2\.0\.0 Ok: queued as \w{20}\r\n$/)
    expect(accepted()).toHaveLength(1)
  })

  test('answers every verb, in any case', async () => {
    const { port } = await start()
    const client = await greeted(port)
    expect(await client.say('noop whatever')).toBe('250 2.0.0 Ok')
    expect(await client.say('RSET')).toBe('250 2.0.0 Ok')
    expect(await client.say('vrfy bob')).toMatch(/^252 2\./)
    expect(await client.say('EXPN list')).toMatch(/^502 5\.5\.1 /)
    expect(await client.say('HELP')).toMatch(/^214 2\./)
    expect(await client.say('STARTTLS')).toMatch(/^502 5\.5\.1 /)
    expect(await client.say('AUTH PLAIN AGEAYg==')).toMatch(/^502 5\.5\.1 /)
    expect(await client.say('BDAT 5 LAST')).toMatch(/^502 5\.5\.1 /)
    expect(await client.say('XCLIENT ADDR=192.0.2.1')).toMatch(/^500 5\.5\.2 /)
    expect(await client.say('WIZ')).toMatch(/^500 5\.5\.2 /)
    expect(await client.say('')).toMatch(/^500 5\.5\.2 /)
    expect(await client.say('RSET now')).toMatch(/^501 5\.5\.4 /)
    expect(await client.say('Helo other.example')).toBe('250 mx.example.com')
  })

  test('keeps commands in their order', async () => {
    const { port } = await start()
    const client = dial(port)
    await client.reply()
    expect(await client.say('MAIL FROM:<a@b.test>')).toMatch(/^503 5\.5\.1 /)
    expect(await client.say('EHLO')).toMatch(/^501 5\.5\.4 /)
    await client.say('EHLO c')
    expect(await client.say('RCPT TO:<bob@example.com>')).toMatch(/^503 5\.5\.1 /)
    expect(await client.say('DATA')).toMatch(/^503 5\.5\.1 /)
    await client.say('MAIL FROM:<a@b.test>')
    expect(await client.say('MAIL FROM:<a@b.test>')).toMatch(/^503 5\.5\.1 /)
    expect(await client.say('DATA')).toMatch(/^554 5\.5\.1 No valid recipients/)
    await client.say('RSET')
    expect(await client.say('RCPT TO:<bob@example.com>')).toMatch(/^503 /)
    await client.say('MAIL FROM:<a@b.test>')
    await client.say('EHLO c')
    expect(await client.say('DATA')).toMatch(/^503 /)
  })

  test('makes the name of the client harmless', async () => {
    const { port, accepted } = await start()
    const client = await inDataAs(port, '<script>alert(1)</script>')
    client.send('x\r\n.\r\n')
    await client.reply()
    expect(accepted()[0]?.message.client.helo).toBe('?script?alert?1???script?')
  })

  test.each(['GET / HTTP/1.1', 'POST /send HTTP/1.1', 'CONNECT mx:25 HTTP/1.1'])('sends %s away', async line => {
    const { port } = await start()
    const client = dial(port)
    await client.reply()
    client.send(`${line}\r\nHost: mx\r\n\r\nEHLO c\r\nMAIL FROM:<a@b.test>\r\n`)
    expect(await client.reply()).toMatch(/^421 4\.7\.0 /)
    expect(await client.closed()).toBe('')
  })
})

async function inDataAs(port: number, name: string) {
  const client = dial(port)
  await client.reply()
  await client.say(`EHLO ${name}`)
  await client.say('MAIL FROM:<a@b.test>')
  await client.say('RCPT TO:<bob@example.com>')
  await client.say('DATA')
  return client
}

describe('contents', () => {
  test.each([
    ['without a body', 'Subject: x\r\n'],
    ['with an empty body', 'Subject: x\r\n\r\n'],
    ['without anything', ''],
    ['without a header', '\r\nbody\r\n'],
    ['with a header line of 1 MB', `Subject: ${'x'.repeat(1_000_000)}\r\n\r\nbody\r\n`],
    ['with lines of dots', '.\r\n..\r\n...\r\n.\r\n'],
  ])('%s are taken as they are', async (_, content) => {
    const { port, accepted } = await start({ limits: { messageSize: 2_000_000 } })
    const client = await inData(port)
    client.send(`${content.replaceAll(/^\./gm, '..')}.\r\n`)
    expect(await client.reply()).toMatch(/^250 2\.0\.0 /)
    expect(accepted()[0]?.content.equals(Buffer.from(content))).toBe(true)
    expect(accepted()[0]?.message.messageId).toBeUndefined()
  })

  test('with more than 50 hops are in a loop', async () => {
    const { port, isEmpty, accepted } = await start()
    const client = await inData(port)
    client.send(`${'Received: from a by b\r\n'.repeat(51)}\r\nx\r\n.\r\n`)
    expect(await client.reply()).toMatch(/^554 5\.4\.6 /)
    expect(isEmpty()).toBe(true)
    await client.say('MAIL FROM:<>')
    await client.say('RCPT TO:<bob@example.com>')
    await client.say('DATA')
    client.send(`${'Received: from a by b\r\n'.repeat(50)}\r\n${'Received: in the body\r\n'.repeat(9)}.\r\n`)
    expect(await client.reply()).toMatch(/^250 /)
    expect(accepted()).toHaveLength(1)
  })
})
