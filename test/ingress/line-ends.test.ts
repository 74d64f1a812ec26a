// SMTP smuggling and other games with line ends, over a real socket. The content is what the next hop will be told.
import { describe, expect, test } from 'vitest'
import { greeted, inData } from './dialogue.ts'
import { start } from './start.ts'

const SECOND = 'MAIL FROM:<evil@b.test>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\nsmuggled\r\n.\r\n'
const asContent = (end: string) => `first\r\n${end}${SECOND.replaceAll('\r\n.\r\n', '\r\n..\r\n')}`

describe.each([
  ['at once', (client: Awaited<ReturnType<typeof inData>>, octets: string) => client.send(octets)],
  ['byte-wise', (client: Awaited<ReturnType<typeof inData>>, octets: string) => client.sendBytewise(octets)],
] as const)('sent %s', (_, send) => {
  test.each([
    ['LF . LF', 'a\n.\n'],
    ['LF . CRLF', 'a\n.\r\n'],
    ['CRLF . LF', 'a\r\n.\n'],
    ['LF LF . LF', 'a\n\n.\n'],
    ['LF .. CRLF', 'a\n..\r\n'],
    ['LF . CRLF CRLF', 'a\n.\r\n\r\n'],
  ])('%s does not end DATA, and becomes clean CRLF lines', async (_name, end) => {
    const { port, accepted } = await start()
    const client = await inData(port)
    await send(client, `${asContent(end)}.\r\nNOOP\r\n`)
    expect(await client.reply()).toMatch(/^250 2\.0\.0 Ok: queued/)
    expect(await client.reply()).toBe('250 2.0.0 Ok')
    expect(accepted()).toHaveLength(1)
    const content = accepted()[0]!.content.toString('latin1')
    expect(content).not.toMatch(/(?<!\r)\n|\r(?!\n)/)
    expect(content).toContain('smuggled')
  })

  test.each([
    ['LF . LF', 'a\n.\n'],
    ['LF . CRLF', 'a\n.\r\n'],
    ['CRLF . LF', 'a\r\n.\n'],
  ])('%s is refused under bareNewline: reject', async (_name, end) => {
    const { port, isEmpty } = await start({ bareNewline: 'reject' })
    const client = await inData(port)
    await send(client, `${asContent(end)}.\r\nNOOP\r\n`)
    expect(await client.reply()).toMatch(/^550 5\.6\.11 /)
    expect(await client.reply()).toBe('250 2.0.0 Ok')
    expect(isEmpty()).toBe(true)
  })

  test.each([
    ['CR . CR', 'a\r.\r'],
    ['CR . CRLF', 'a\r.\r\n'],
    ['CRLF . CR', 'a\r\n.\r'],
    ['CRLF . CR CRLF', 'a\r\n.\r\r\n'],
    ['CR LF in turns', 'a\n\r.\n\r'],
    ['NUL . CRLF', 'a\r\n\0.\r\n'],
    ['CRLF . NUL CRLF', 'a\r\n.\0\r\n'],
  ])('%s does not end DATA, and the message is refused after the real end', async (_name, end) => {
    const { port, isEmpty, metric } = await start()
    const client = await inData(port)
    await send(client, `${asContent(end)}.\r\nNOOP\r\n`)
    expect(await client.reply()).toMatch(/^550 5\.6\.(0|11) /)
    expect(await client.reply()).toBe('250 2.0.0 Ok')
    expect(isEmpty()).toBe(true)
    expect(await metric('elemta_messages_rejected_total{stage="data"}')).toBe(1)
  })
})

describe('a command line', () => {
  test('with a bare LF is one refused line, whatever stands behind the LF', async () => {
    const { port } = await start()
    const client = await greeted(port)
    client.send('NOOP\nMAIL FROM:<a@b.test>\nVRFY x\r\nNOOP\r\n')
    expect(await client.reply()).toMatch(/^500 5\.5\.2 /)
    expect(await client.reply()).toBe('250 2.0.0 Ok')
    await client.sendBytewise('NOOP\nRSET\r\nNOOP\r\n')
    expect(await client.reply()).toMatch(/^500 5\.5\.2 /)
    expect(await client.reply()).toBe('250 2.0.0 Ok')
  })

  test('with a bare CR or a NUL is refused', async () => {
    const { port } = await start()
    const client = await greeted(port)
    expect(await client.say('NOOP\rRSET')).toMatch(/^500 5\.5\.2 /)
    expect(await client.say('NOOP\0')).toMatch(/^500 5\.5\.2 /)
    expect(await client.say('MAIL FROM:<a@b.test>\rRCPT TO:<c@d.test>')).toMatch(/^500 5\.5\.2 /)
  })

  test('over 2048 octets is refused once, and the session goes on behind it', async () => {
    const { port } = await start()
    const client = await greeted(port)
    expect(await client.say(`NOOP ${'x'.repeat(2040)}`)).toBe('250 2.0.0 Ok')
    expect(await client.say(`NOOP ${'x'.repeat(3000)}`)).toMatch(/^500 5\.5\.2 /)
    expect(await client.say('NOOP')).toBe('250 2.0.0 Ok')
    client.send('x'.repeat(3000))
    expect(await client.reply()).toMatch(/^500 5\.5\.2 /)
    client.send('x'.repeat(3000))
    client.send('\r')
    client.send('\nNOOP\r\n')
    expect(await client.reply()).toBe('250 2.0.0 Ok')
  })

  test('without end ends the connection', async () => {
    const { port } = await start()
    const client = await greeted(port)
    client.send('x'.repeat(200_000))
    expect(await client.reply()).toMatch(/^500 5\.5\.2 /)
    expect(await client.reply()).toMatch(/^421 4\.7\.0 /)
    await client.closed()
  })
})
