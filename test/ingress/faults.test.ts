// What goes wrong on our side, or with the client, costs one command a 451 and nothing else: no 5yz, no kept draft,
// no second reply, no dead process.
import { describe, expect, test } from 'vitest'
import { reply, SmtpError } from '../../src/mail/reply.ts'
import { defer, type Plugin, reject } from '../../src/plugins/plugin.ts'
import { dial, greeted, inData } from './dialogue.ts'
import { start } from './start.ts'

const full = () => Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
const broken = new Error('550 5.1.1 the database says no')

async function reachesQueue(port: number) {
  const client = await inData(port)
  client.send('x\r\n.\r\n')
  return client.reply()
}

describe('a plugin at RCPT', () => {
  const faults: Record<string, NonNullable<Plugin['recipient']>> = {
    throws: () => {
      throw broken
    },
    rejects: () => Promise.reject(broken),
    'rejects with nothing': () => Promise.reject(),
    'answers nonsense': () => 'no' as never,
    'refuses with a yes': () => ({ decision: 'reject', reply: reply(250, '2.1.5', 'fine'), why: '' }),
    'promises a refusal with a yes': async () => ({ decision: 'defer', reply: reply(250, '2.1.5', 'fine'), why: '' }),
    'never answers': () => new Promise(() => {}),
  }

  test.each(Object.entries(faults))('that %s costs this recipient a 451', async (_, recipient) => {
    const { port, accepted } = await start({
      plugin: { recipient: (transaction, to) => (to.startsWith('bad') ? recipient(transaction, to) : undefined) },
    })
    const client = await greeted(port)
    client.send(
      'MAIL FROM:<a@b.test>\r\nRCPT TO:<bad@example.com>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\nx\r\n.\r\nNOOP\r\n',
    )
    expect(await client.reply()).toMatch(/^250 2\.1\.0 /)
    expect(await client.reply()).toMatch(/^451 4\.3\.0 /)
    expect(await client.reply()).toMatch(/^250 2\.1\.5 /)
    expect(await client.reply()).toMatch(/^354 /)
    expect(await client.reply()).toMatch(/^250 2\.0\.0 Ok: queued/)
    expect(await client.reply()).toBe('250 2.0.0 Ok')
    expect(accepted()[0]?.job.recipients).toEqual(['bob@example.com'])
  })

  test('that answers too late is not heard', async () => {
    let answerLate = () => {}
    const { port, logged } = await start({
      plugin: {
        recipient: () =>
          new Promise(resolve => {
            answerLate = () => resolve(undefined)
          }),
      },
    })
    const client = await greeted(port)
    await client.say('MAIL FROM:<a@b.test>')
    expect(await client.say('RCPT TO:<bob@example.com>')).toMatch(/^451 4\.3\.0 /)
    answerLate()
    expect(await client.say('DATA')).toMatch(/^554 5\.5\.1 /)
    expect(logged('plugin-timeout')).toHaveLength(1)
  })

  test('may refuse and defer, at once or later; the reply is its own', async () => {
    const [never, later] = [reject('Go away'), defer('Greylisted', { code: 450 })]
    const { port, logged } = await start({
      plugin: {
        recipient: (_, to) => (to.startsWith('late') ? Promise.resolve(later) : never),
        sender({ reversePath }) {
          if (reversePath === 'evil@b.test') throw new SmtpError(reply(554, '5.7.1', 'Not you'))
          return undefined
        },
      },
    })
    const client = await greeted(port)
    expect(await client.say('MAIL FROM:<evil@b.test>')).toMatch(/^554 5\.7\.1 Not you \(\w{20}\)$/)
    await client.say('MAIL FROM:<a@b.test>')
    expect(await client.say('RCPT TO:<now@example.com>')).toMatch(/^550 5\.7\.1 Go away/)
    expect(await client.say('RCPT TO:<late@example.com>')).toMatch(/^450 4\.7\.1 Greylisted/)
    expect(logged('rejected')).toHaveLength(2)
    expect(logged('deferred')).toHaveLength(1)
  })
})

describe('a plugin at connect', () => {
  test.each([
    ['has nothing against the client', () => undefined, /^220 /, true],
    ['takes a moment', async () => undefined, /^220 /, true],
    ['refuses', () => reject('Denied'), /^554 5\.7\.1 Denied/, false],
    ['defers', () => defer('Later'), /^421 4\.7\.1 Later/, false],
    ['fails', () => Promise.reject(broken), /^421 4\.3\.0 /, false],
    ['never answers', () => new Promise<undefined>(() => {}), /^421 4\.3\.0 /, false],
  ])('that %s', async (_, connect, greeting, stays) => {
    const { port } = await start({ plugin: { connect } })
    const client = dial(port)
    client.send('EHLO c\r\n')
    expect(await client.reply()).toMatch(greeting)
    if (stays) expect(await client.reply()).toMatch(/^250-/)
    else expect(await client.closed()).toBe('')
  })
})

describe('storage', () => {
  const places = ['write', 'seal', 'commit', 'create', 'enqueue'] as const

  test.each(places)('that is full at %s means 451 4.3.1, and nothing is kept', async place => {
    const { port, isEmpty, obstacles, metric, logged } = await start({
      obstacles: { [place]: () => Promise.reject(full()) },
    })
    expect(await reachesQueue(port)).toMatch(/^451 4\.3\.1 .*\w{20}/)
    expect(isEmpty()).toBe(true)
    expect(await metric('elemta_messages_tempfailed_total{reason="room"}')).toBe(1)
    expect(logged('deferred')).toHaveLength(1)
    delete obstacles[place]
    expect(await reachesQueue(port)).toMatch(/^250 /)
  })

  test.each(places)('that fails at %s means 451 4.3.0, and nothing is kept', async place => {
    const { port, isEmpty } = await start({ obstacles: { [place]: () => Promise.reject(broken) } })
    expect(await reachesQueue(port)).toMatch(/^451 4\.3\.0 /)
    expect(isEmpty()).toBe(true)
  })

  test('that throws at once means the same', async () => {
    const thrower = () => {
      throw full()
    }
    const { port, isEmpty, obstacles } = await start({ obstacles: { write: thrower } })
    expect(await reachesQueue(port)).toMatch(/^451 4\.3\.1 /)
    expect(isEmpty()).toBe(true)
    obstacles.draft = thrower
    const client = await greeted(port)
    await client.say('MAIL FROM:<a@b.test>')
    await client.say('RCPT TO:<bob@example.com>')
    expect(await client.say('DATA')).toMatch(/^451 4\.3\.1 /)
    expect(await client.say('NOOP')).toMatch(/^250 /)
  })

  test.each(places)('that never comes back from %s means 451 in time, and the session goes on', async place => {
    const { port } = await start({
      obstacles: { [place]: () => new Promise<never>(() => {}) },
      limits: { timeouts: { answer: 30 } },
    })
    const client = await inData(port)
    client.send('x\r\n.\r\nNOOP\r\n')
    expect(await client.reply()).toMatch(/^451 4\.3\.0 /)
    expect(await client.reply()).toBe('250 2.0.0 Ok')
  })

  test('that seals too late keeps nothing: the client was told to come again', async () => {
    let sealLate = () => {}
    const obstacles = { seal: () => new Promise<void>(resolve => (sealLate = resolve)) }
    const { port, untilDiscarded, isEmpty } = await start({ obstacles, limits: { timeouts: { answer: 30 } } })
    expect(await reachesQueue(port)).toMatch(/^451 4\.3\.0 /)
    sealLate()
    await untilDiscarded(1)
    expect(isEmpty()).toBe(true)
  })

  test('that is full in the middle of DATA is asked no more; the rest is read and forgotten', async () => {
    let writes = 0
    const { port, isEmpty, untilDiscarded } = await start({
      obstacles: { write: () => (++writes > 1 ? Promise.reject(full()) : undefined) },
    })
    const client = await inData(port)
    client.send('first\r\n')
    while (writes < 1) await new Promise(resolve => setImmediate(resolve))
    client.send('second\r\n')
    await untilDiscarded(1)
    client.send('third\r\n')
    client.send('.\r\n')
    expect(await client.reply()).toMatch(/^451 4\.3\.1 /)
    expect(writes).toBe(2)
    expect(isEmpty()).toBe(true)
  })
})

describe('a client that is gone', () => {
  test.each([
    ['closes', (client: Awaited<ReturnType<typeof inData>>) => client.socket.end()],
    ['resets', (client: Awaited<ReturnType<typeof inData>>) => client.socket.resetAndDestroy()],
  ])('in DATA (%s) leaves nothing behind', async (_, leave) => {
    const { port, isEmpty, untilDiscarded, metric, logged } = await start()
    const client = await inData(port)
    client.send('Subject: x\r\n\r\nhalf a mess')
    leave(client)
    await untilDiscarded(1)
    expect(isEmpty()).toBe(true)
    await expect.poll(() => metric('elemta_connections_active')).toBe(0)
    expect(await metric('elemta_connection_errors_total{reason="reset"}')).toBe(1)
    expect(logged('client-gone')).toHaveLength(1)
  })

  test('with a dot that lacks its last LF has sent no message', async () => {
    const { port, isEmpty, untilDiscarded } = await start()
    const client = await inData(port)
    client.socket.end('x\r\n.\r')
    await untilDiscarded(1)
    expect(isEmpty()).toBe(true)
  })

  test('anywhere in the dialogue hurts nobody else', async () => {
    const { port, metric } = await start({ plugin: { recipient: () => new Promise(() => {}) }, pluginTimeout: 10_000 })
    const bystander = await greeted(port)
    const dialogue = ['', 'EHLO c\r\n', 'MAIL FROM:<a@b.test>\r\n', 'RCPT TO:<bob@example.com>\r\n', 'NOOP\r\n']
    for (let steps = 1; steps <= dialogue.length; steps++) {
      const client = dial(port)
      await client.reply()
      client.send(dialogue.slice(0, steps).join(''))
      for (let n = 1; n < Math.min(steps, 3); n++) await client.reply()
      client.socket.resetAndDestroy()
    }
    expect(await bystander.say('NOOP')).toBe('250 2.0.0 Ok')
    await expect.poll(() => metric('elemta_connections_active')).toBe(1)
  })

  test('while its message is made durable may come again: the message is kept', async () => {
    let commit = () => {}
    let committing = () => {}
    const reached = new Promise<void>(resolve => (committing = resolve))
    const obstacles = {
      commit: () => {
        committing()
        return new Promise<void>(resolve => (commit = resolve))
      },
    }
    const { port, accepted, metric } = await start({ obstacles })
    const client = await inData(port)
    client.send('x\r\n.\r\n')
    await reached
    client.socket.resetAndDestroy()
    await expect.poll(() => metric('elemta_connections_active')).toBe(0)
    commit()
    await expect.poll(() => accepted().length).toBe(1)
  })
})
