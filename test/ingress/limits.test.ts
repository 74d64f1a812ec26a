// What a client may not cost us: sizes, counts, errors, times, memory.
import { describe, expect, test } from 'vitest'
import { reject } from '../../src/plugins/plugin.ts'
import { dial, greeted, inData } from './dialogue.ts'
import { start } from './start.ts'

const KB = `${'x'.repeat(998)}\r\n`

describe('the size of a message', () => {
  test('declared over the limit is refused at MAIL', async () => {
    const { port, openDrafts } = await start({ limits: { messageSize: 10_000 } })
    const client = await greeted(port)
    expect(await client.say('MAIL FROM:<a@b.test> SIZE=10001')).toMatch(/^552 5\.3\.4 .*\w{20}/)
    expect(await client.say('MAIL FROM:<a@b.test> SIZE=99999999999999999999')).toMatch(/^552 5\.3\.4 /)
    expect(await client.say('MAIL FROM:<a@b.test> SIZE=10000')).toMatch(/^250 /)
    expect(openDrafts()).toBe(0)
  })

  test('over the limit is refused after the dot; nothing is kept, and storing stops at once', async () => {
    let written = 0
    const obstacles = {
      write(chunk: Buffer) {
        written += chunk.length
        return undefined
      },
    }
    const { port, isEmpty, untilDiscarded, accepted } = await start({ limits: { messageSize: 10_000 }, obstacles })
    const client = await inData(port)
    client.send(KB.repeat(11))
    await untilDiscarded(1)
    client.send(`${KB.repeat(5)}.\r\n`)
    expect(await client.reply()).toMatch(/^552 5\.3\.4 /)
    expect(isEmpty()).toBe(true)
    expect(written).toBeLessThanOrEqual(10_000)

    await client.say('MAIL FROM:<a@b.test> SIZE=10')
    await client.say('RCPT TO:<bob@example.com>')
    await client.say('DATA')
    client.send(`${KB.repeat(10)}.\r\n`)
    expect(await client.reply()).toMatch(/^250 /)
    expect(accepted()[0]?.message.size).toBe(10_000)
  })

  test.each([
    ['..\r\n'.repeat(10), /^250 /],
    ['\n'.repeat(15), /^552 /],
    [`${'\n'.repeat(14)}\r\n`, /^250 /],
    [`${'x'.repeat(28)}\r\n`, /^250 /],
    [`${'x'.repeat(29)}\r\n`, /^552 /],
  ])('is counted as stored, without stuffing and with the CR that was missing: %j', async (octets, reply) => {
    const { port } = await start({ limits: { messageSize: 30 } })
    const client = await inData(port)
    client.send(octets.endsWith('\r\n') ? `${octets}.\r\n` : `${octets}\r\n.\r\n`)
    expect(await client.reply()).toMatch(reply)
  })

  test('without end ends the connection', async () => {
    const { port, isEmpty } = await start({ limits: { messageSize: 10_000 } })
    const client = await inData(port)
    client.send(KB.repeat(200))
    expect(await client.reply()).toMatch(/^421 4\.7\.0 /)
    await client.closed()
    expect(isEmpty()).toBe(true)
  })
})

describe('errors', () => {
  test('beyond the budget end the connection', async () => {
    const { port, metric } = await start({ limits: { errors: 3 } })
    const client = await greeted(port)
    for (let n = 0; n < 3; n++) expect(await client.say('FOO')).toMatch(/^500 /)
    expect(await client.say('FOO')).toMatch(/^421 4\.7\.0 /)
    await client.closed()
    expect(await metric('elemta_connection_errors_total{reason="errors"}')).toBe(1)
  })

  test('are refused recipients too; an accepted message starts the count again', async () => {
    const { port } = await start({ limits: { errors: 3 } })
    const client = await greeted(port)
    for (let round = 0; round < 2; round++) {
      await client.say('MAIL FROM:<a@b.test>')
      for (let n = 0; n < 3; n++) expect(await client.say('RCPT TO:<a@elsewhere.test>')).toMatch(/^550 /)
      await client.say('RCPT TO:<bob@example.com>')
      await client.say('DATA')
      client.send('x\r\n.\r\n')
      expect(await client.reply()).toMatch(/^250 /)
    }
    for (let n = 0; n < 3; n++) await client.say('FOO')
    expect(await client.say('NOOP')).toMatch(/^250 /)
    expect(await client.say('FOO')).toMatch(/^421 /)
  })
})

describe('connections', () => {
  test('beyond the limit are sent away, until one is free again', async () => {
    const { port, metric } = await start({ limits: { connections: 2 } })
    const first = await greeted(port)
    await greeted(port)
    const third = dial(port)
    expect(await third.reply()).toMatch(/^421 4\.7\.0 /)
    await third.closed()
    expect(await metric('elemta_connection_errors_total{reason="too-many"}')).toBe(1)
    expect(await metric('elemta_connections_active')).toBe(2)
    await first.say('QUIT')
    await first.closed()
    first.hangUp()
    await expect.poll(() => metric('elemta_connections_active')).toBe(1)
    expect(await dial(port).reply()).toMatch(/^220 /)
  })

  test('of one client beyond its limit are sent away, others are not', async () => {
    const { port, metric } = await start({ limits: { connectionsPerClient: 1 } })
    await greeted(port, { from: '127.0.0.2' })
    expect(await dial(port, { from: '127.0.0.2' }).reply()).toMatch(/^421 4\.7\.0 /)
    expect(await dial(port, { from: '127.0.0.3' }).reply()).toMatch(/^220 /)
    expect(await metric('elemta_connection_errors_total{reason="too-many-from-client"}')).toBe(1)
  })
})

describe('time', () => {
  test('for a command is up although the client sends an octet now and then', async () => {
    const { port, metric } = await start({ limits: { timeouts: { command: 300 } } })
    const client = await greeted(port)
    const drip = setInterval(() => client.send('x'), 10)
    expect(await client.reply()).toMatch(/^421 4\.4\.2 /)
    await client.closed()
    clearInterval(drip)
    expect(await metric('elemta_connection_errors_total{reason="timeout"}')).toBe(1)
  })

  test('in DATA is up although the client sends an octet now and then; nothing is kept', async () => {
    const { port, isEmpty } = await start({ limits: { timeouts: { data: 100 }, dataRate: 1000 } })
    const client = await inData(port)
    const drip = setInterval(() => client.send('x'), 10)
    expect(await client.reply()).toMatch(/^421 4\.4\.2 /)
    await client.closed()
    clearInterval(drip)
    expect(isEmpty()).toBe(true)
  })

  test('in DATA is not up as long as there is progress', async () => {
    const { port, accepted } = await start({ limits: { timeouts: { data: 500 }, dataRate: 1000 } })
    const client = await inData(port)
    let sent = 0
    await new Promise<void>(resolve => {
      const steady = setInterval(() => {
        client.send(KB)
        if (++sent < 30) return
        clearInterval(steady)
        resolve()
      }, 25)
    })
    client.send('.\r\n')
    expect(await client.reply()).toMatch(/^250 /)
    expect(accepted()[0]?.message.size).toBe(30_000)
  })

  test('for a session is up although the client is busy', async () => {
    const { port } = await start({ limits: { errors: 1e9, softErrors: 1e9, timeouts: { session: 300 } } })
    const client = await greeted(port)
    let reply = ''
    while (!reply.startsWith('421')) reply = await client.say('NOOP')
    expect(reply).toMatch(/^421 4\.4\.2 /)
  })

  test('for closing is up when the client does not close', async () => {
    const { port, metric } = await start({ limits: { timeouts: { linger: 50 } } })
    const client = await greeted(port, { allowHalfOpen: true })
    await client.say('QUIT')
    await expect.poll(() => metric('elemta_connections_active')).toBe(0)
  })

  test('for closing is up when a refused client does not close', async () => {
    const connect = () => reject('Denied', { code: 554 })
    const { port, metric } = await start({ plugin: { connect }, limits: { timeouts: { linger: 50 } } })
    const client = dial(port, { allowHalfOpen: true })
    expect(await client.say('EHLO c')).toMatch(/^554 /)
    await expect.poll(() => metric('elemta_connections_active')).toBe(0)
  })
})

describe('pregreet delay', () => {
  test('refuses who talks before the greeting', async () => {
    const { port } = await start({ pregreetDelay: 10_000 })
    const client = dial(port)
    client.send('EHLO c\r\n')
    expect(await client.reply()).toMatch(/^554 5\.5\.1 /)
    await client.closed()
  })

  test('greets who waits', async () => {
    const { port } = await start({ pregreetDelay: 20 })
    const client = dial(port)
    expect(await client.reply()).toMatch(/^220 /)
    expect(await client.say('EHLO c')).toMatch(/^250-/)
  })
})
