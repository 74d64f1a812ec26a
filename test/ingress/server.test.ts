import { fork } from 'node:child_process'
import { type AddressInfo, createServer } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { dial, greeted, inData } from './dialogue.ts'
import { start } from './start.ts'

describe('drain', () => {
  test('lets transactions end, and sends the others away', async () => {
    const { ingress, port, accepted } = await start()
    const sender = await inData(port)
    const idle = await greeted(port)
    const between = await greeted(port)
    await between.say('MAIL FROM:<a@b.test>')
    sender.send('first half\r\n')

    const drained = ingress.drain(10_000)
    expect(await idle.reply()).toMatch(/^421 4\.3\.2 /)
    expect(await dial(port).closed()).toBe('')
    expect(await between.say('RCPT TO:<bob@example.com>')).toMatch(/^250 /)
    expect(await between.say('DATA')).toMatch(/^354 /)
    expect(await between.say('x\r\n.')).toMatch(/^250 2\.0\.0 Ok: queued/)
    expect(await between.reply()).toMatch(/^421 4\.3\.2 /)
    sender.send('second half\r\n.\r\n')
    expect(await sender.reply()).toMatch(/^250 2\.0\.0 Ok: queued/)
    expect(await sender.reply()).toMatch(/^421 4\.3\.2 /)
    await drained
    expect(accepted()).toHaveLength(2)
  })

  test('begins no other transaction where one was given up', async () => {
    const { ingress, port } = await start()
    const client = await greeted(port)
    await client.say('MAIL FROM:<a@b.test>')
    const drained = ingress.drain(10_000)
    client.send('RSET\r\nMAIL FROM:<a@b.test>\r\n')
    expect(await client.reply()).toMatch(/^250 /)
    expect(await client.reply()).toMatch(/^421 4\.3\.2 /)
    await drained
    expect(await client.closed()).toBe('')
  })

  test('waits for a message that is being made durable', async () => {
    let commit = () => {}
    let committing = () => {}
    const reached = new Promise<void>(resolve => (committing = resolve))
    const obstacles = {
      commit: () => {
        committing()
        return new Promise<void>(resolve => (commit = resolve))
      },
    }
    const { ingress, port } = await start({ obstacles })
    const client = await inData(port)
    client.send('x\r\n.\r\n')
    await reached
    const drained = ingress.drain(10_000)
    commit()
    expect(await client.reply()).toMatch(/^250 /)
    expect(await client.reply()).toMatch(/^421 4\.3\.2 /)
    await drained
  })

  test('does not wait longer than it was told', async () => {
    const { ingress, port, isEmpty } = await start()
    const client = await inData(port)
    client.send('never ending\r\n')
    await ingress.drain(50)
    await client.closed()
    expect(isEmpty()).toBe(true)
  })
})

describe('starting', () => {
  test('on a port that is in use says so, and leaves no other listener open', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await new Promise(resolve => other.once('listening', resolve))
    const { port } = other.address() as AddressInfo
    const free = createServer().listen(0, '127.0.0.1')
    await new Promise(resolve => free.once('listening', resolve))
    const freePort = (free.address() as AddressInfo).port
    await new Promise(resolve => free.close(resolve))
    const listeners = [
      { address: '127.0.0.1', port: freePort, mode: 'mx' as const },
      { address: '127.0.0.1', port, mode: 'mx' as const },
    ]
    await expect(start({ listeners })).rejects.toThrow(
      new RegExp(`cannot listen on 127\\.0\\.0\\.1 port ${port}: the port is in use\\. Stop`),
    )
    const again = await start({ listeners: listeners.slice(0, 1) })
    expect(again.port).toBe(freePort)
    await new Promise(resolve => other.close(resolve))
  })

  test('on an address of another machine says so', async () => {
    const listeners = [{ address: '192.0.2.1', port: 0, mode: 'mx' as const }]
    await expect(start({ listeners })).rejects.toThrow(/192\.0\.2\.1 port 0: this machine has no such address/)
  })

  test('listens on several addresses, IPv6 too, and names the ports it got', async () => {
    const listeners = ['127.0.0.1', '::1'].map(address => ({ address, port: 0, mode: 'mx' as const }))
    const { ingress } = await start({ listeners })
    expect(ingress.addresses).toMatchObject([{ address: '127.0.0.1' }, { address: '::1' }])
    expect(ingress.addresses.every(({ port }) => port > 0)).toBe(true)
  })
})

test('a thousand idle sessions cost under 100 MB', async () => {
  const server = fork(new URL('serve-alone.ts', import.meta.url), { execArgv: [] })
  onTestFinished(() => void server.kill())
  const next = () => new Promise<number>(resolve => server.once('message', answer => resolve(Number(answer))))
  const port = await next()
  const memory = () => {
    const answer = next()
    server.send('memory')
    return answer
  }
  const before = await memory()
  const clients = await Promise.all(Array.from({ length: 1000 }, () => greeted(port)))
  expect((await memory()) - before).toBeLessThan(100_000_000)
  expect(await clients[999]!.say('NOOP')).toBe('250 2.0.0 Ok')
  for (const client of clients) client.hangUp()
})
