import { describe, expect, test } from 'vitest'
import { greeted } from './dialogue.ts'
import { start } from './start.ts'

const utf8 = (text: string) => Buffer.from(text).toString('latin1')

describe('MAIL', () => {
  test.each([
    ['MAIL FROM:<>', /^250 2\.1\.0 /],
    ['mail from:<a@b.test> size=10 body=7bit', /^250 2\.1\.0 /],
    ['MAIL FROM: <a@b.test>', /^250 2\.1\.0 /],
    ['MAIL FROM:<"a> b"@b.test> SIZE=1', /^250 2\.1\.0 /],
    ['MAIL FROM:<u%h@b.test>', /^250 2\.1\.0 /],
    ['MAIL FROM:<jürgen@b.test> SMTPUTF8', /^250 2\.1\.0 /],
    ['MAIL FROM:<jürgen@b.test>', /^553 5\.6\.7 /],
    ['MAIL FROM:<a@bücher.example>', /^553 5\.6\.7 /],
    ['MAIL FROM:a@b.test', /^501 5\.5\.4 /],
    ['MAIL FROM:<a@b.test', /^501 5\.5\.4 /],
    ['MAIL TO:<a@b.test>', /^501 5\.5\.4 /],
    ['MAIL', /^501 5\.5\.4 /],
    ['MAIL FROM:<a@b.test>SIZE=1', /^501 5\.5\.4 /],
    ['MAIL FROM:<a@b..test>', /^501 5\.1\.7 /],
    ['MAIL FROM:<postmaster>', /^501 5\.1\.7 /],
    ['MAIL FROM:<a@b.test> SIZE=ten', /^501 5\.5\.4 /],
    ['MAIL FROM:<a@b.test> SIZE=-1', /^501 5\.5\.4 /],
    ['MAIL FROM:<a@b.test> SIZE', /^501 5\.5\.4 /],
    ['MAIL FROM:<a@b.test> SIZE=1 SIZE=1', /^501 5\.5\.4 /],
    ['MAIL FROM:<a@b.test> BODY=BINARYMIME', /^501 5\.5\.4 /],
    ['MAIL FROM:<a@b.test> SMTPUTF8=yes', /^501 5\.5\.4 /],
    ['MAIL FROM:<a@b.test> HOLDFOR=60', /^555 5\.5\.4 /],
    ['MAIL FROM:<a@b.test> AUTH=<>', /^555 5\.5\.4 /],
    ['MAIL FROM:<a@b\tc.test>', /^500 5\.5\.2 /],
    ['MAIL FROM:<a\0@b.test>', /^500 5\.5\.2 /],
  ])('%j is answered as it should be', async (line, reply) => {
    const { port } = await start()
    const client = await greeted(port)
    expect(await client.say(line)).toMatch(reply)
  })

  test('with octets that are no UTF-8 is refused, not repaired', async () => {
    const { port } = await start()
    const client = await greeted(port)
    client.send('MAIL FROM:<\xff\xfe@b.test> SMTPUTF8\r\n')
    expect(await client.reply()).toMatch(/^500 5\.5\.2 /)
    client.send(`MAIL FROM:<${utf8('ü')}@b.test> SMTPUTF8\r\n`)
    expect(await client.reply()).toMatch(/^250 /)
  })
})

describe('RCPT', () => {
  test.each([
    ['RCPT TO:<bob@example.com>', /^250 2\.1\.5 /],
    ['rcpt to:<BOB@EXAMPLE.COM>', /^250 2\.1\.5 /],
    ['RCPT TO:<@relay.test,@other.test:bob@example.com>', /^250 2\.1\.5 /],
    ['RCPT TO:<"bob smith"@example.com>', /^250 2\.1\.5 /],
    ['RCPT TO:<bob@xn--bcher-kva.example>', /^250 2\.1\.5 /],
    ['RCPT TO:<PostMaster>', /^250 2\.1\.5 /],
    ['RCPT TO:<bob@elsewhere.test>', /^550 5\.7\.1 /],
    ['RCPT TO:<bob@sub.example.com>', /^550 5\.7\.1 /],
    ['RCPT TO:<bob@example.com.elsewhere.test>', /^550 5\.7\.1 /],
    ['RCPT TO:<@example.com:bob@elsewhere.test>', /^550 5\.7\.1 /],
    ['RCPT TO:<bob%elsewhere.test@example.com>', /^550 5\.7\.1 /],
    ['RCPT TO:<elsewhere.test!bob@example.com>', /^550 5\.7\.1 /],
    ['RCPT TO:<"bob@elsewhere.test"@example.com>', /^550 5\.7\.1 /],
    ['RCPT TO:<bob@[127.0.0.1]>', /^550 5\.7\.1 /],
    ['RCPT TO:<jürgen@example.com>', /^553 5\.6\.7 /],
    ['RCPT TO:<bob@bücher.example>', /^553 5\.6\.7 /],
    ['RCPT TO:<>', /^501 5\.1\.3 /],
    ['RCPT TO:<bob>', /^501 5\.1\.3 /],
    [`RCPT TO:<${'x'.repeat(65)}@example.com>`, /^501 5\.1\.3 /],
    ['RCPT TO:bob@example.com', /^501 5\.5\.4 /],
    ['RCPT TO:<bob@example.com> RRVS=x', /^555 5\.5\.4 /],
  ])('%j is answered as it should be', async (line, reply) => {
    const { port } = await start()
    const client = await greeted(port)
    await client.say('MAIL FROM:<a@b.test>')
    expect(await client.say(line)).toMatch(reply)
  })

  test('may have UTF-8 when MAIL said SMTPUTF8; the domain is kept in ASCII', async () => {
    const { port, accepted } = await start()
    const client = await greeted(port)
    await client.say('MAIL FROM:<jürgen@b.test> SMTPUTF8')
    expect(await client.say('RCPT TO:<jürgen@example.com>')).toMatch(/^250 /)
    expect(await client.say('RCPT TO:<Bob@BÜCHER.example>')).toMatch(/^250 /)
    expect(await client.say('RCPT TO:<bob@b\u00adücher.example>')).toMatch(/^501 5\.1\.3 /)
    await client.say('DATA')
    client.send('x\r\n.\r\n')
    await client.reply()
    expect(accepted()[0]?.message.envelope).toEqual({
      reversePath: 'jürgen@b.test',
      recipients: [{ address: 'jürgen@example.com' }, { address: 'Bob@xn--bcher-kva.example' }],
      smtputf8: true,
      body: '7BIT',
    })
  })

  test('of the same recipient twice is fine and kept once; another case of the local part is another recipient', async () => {
    const { port, accepted } = await start()
    const client = await greeted(port)
    await client.say('MAIL FROM:<a@b.test>')
    for (const address of [
      'bob@example.com',
      'bob@EXAMPLE.com',
      '"bob"@example.com',
      'Bob@example.com',
      'postmaster',
    ]) {
      expect(await client.say(`RCPT TO:<${address}>`)).toMatch(/^250 /)
    }
    await client.say('DATA')
    client.send('x\r\n.\r\n')
    await client.reply()
    const addresses = ['bob@example.com', 'Bob@example.com', 'postmaster@example.com']
    expect(accepted()[0]?.job.recipients).toEqual(addresses)
  })

  test('of a hundred recipients is fine, of one more is for another transaction', async () => {
    const { port, accepted } = await start()
    const client = await greeted(port)
    const commands = Array.from({ length: 101 }, (_, n) => `RCPT TO:<user${n}@example.com>\r\n`)
    client.send(`MAIL FROM:<a@b.test>\r\n${commands.join('')}${commands[0]}DATA\r\n`)
    await client.reply()
    for (let n = 0; n < 100; n++) expect(await client.reply()).toMatch(/^250 2\.1\.5 /)
    expect(await client.reply()).toMatch(/^452 4\.5\.3 /)
    expect(await client.reply()).toMatch(/^250 2\.1\.5 /)
    expect(await client.reply()).toMatch(/^354 /)
    client.send('x\r\n.\r\n')
    expect(await client.reply()).toMatch(/^250 /)
    expect(accepted()[0]?.job.recipients).toHaveLength(100)
  })

  test('from a trusted network may name any domain', async () => {
    const { port } = await start({ relay: { domains: ['example.com'], networks: ['127.0.0.2/32'] } })
    const stranger = await greeted(port)
    await stranger.say('MAIL FROM:<a@example.com>')
    expect(await stranger.say('RCPT TO:<bob@elsewhere.test>')).toMatch(/^550 5\.7\.1 /)
    const friend = await greeted(port, { from: '127.0.0.2' })
    await friend.say('MAIL FROM:<a@example.com>')
    expect(await friend.say('RCPT TO:<bob@elsewhere.test>')).toMatch(/^250 /)
    expect(await friend.say('RCPT TO:<bob%other.test@elsewhere.test>')).toMatch(/^550 /)
  })
})
