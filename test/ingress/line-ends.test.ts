// Line ends of commands, and lines that are too long. Those of contents: smuggling.test.ts.
import { describe, expect, test } from 'vitest'
import { greeted } from './dialogue.ts'
import { start } from './start.ts'

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
