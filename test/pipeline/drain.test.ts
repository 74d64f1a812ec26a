// SIGTERM: what is under way gets its final reply, nothing new is begun, and the next start goes on where this one left.
import { rm } from 'node:fs/promises'
import { expect, onTestFinished, test } from 'vitest'
import { startNextHop } from '../deliver/next-hop.ts'
import { dial, greeted, inData } from '../ingress/dialogue.ts'
import { startGateway, temporaryDirectory } from './gateway.ts'
import { mail, onTheWire, send } from './mail.ts'

test('SIGTERM in the middle of DATA: the message gets its reply, and the next start delivers it', async () => {
  const directory = await temporaryDirectory()
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const first = await startGateway({ directory })
  const idle = await greeted(first.port)
  const client = await inData(first.port)
  const content = mail()
  const wire = onTheWire(content)
  client.send(wire.subarray(0, 100))
  const stopping = first.stop()
  // The idle session is sent away: the drain has begun.
  expect(await idle.reply()).toMatch(/^421 4\.\d\.\d /)
  client.send(wire.subarray(100))
  const reply = await client.reply()
  expect(reply).toMatch(/^250 2\.0\.0 Ok: queued as \w{20}$/)
  expect(await client.closed()).toMatch(/^(421 .*\r\n)?$/)
  expect(await stopping).toBe(0)
  await expect(dial(first.port).reply()).rejects.toThrow()
  expect(await first.ledger()).toMatchObject({ accepted: 1, imbalance: 0 })

  await using gateway = await startGateway({ directory })
  await gateway.settled(reply.slice(-20), 'delivered')
  expect(await gateway.maildir()).toHaveLength(1)
  expect(await gateway.ledger()).toMatchObject({ accepted: 1, delivered: 1, imbalance: 0 })
})

test('SIGTERM in the middle of a delivery lets it end: it is not made twice', async () => {
  const nextHop = await startNextHop({ dot: 'silence' })
  onTestFinished(() => nextHop.close())
  await using gateway = await startGateway({ config: { routes: [{ domains: ['*'], to: nextHop.url }] } })
  const { queueId } = await send(gateway.port, { content: mail() })
  await expect.poll(() => nextHop.messages.length).toBe(1)
  const idle = await greeted(gateway.port)
  const stopping = gateway.stop()
  expect(await idle.reply()).toMatch(/^421 /)
  for (const socket of nextHop.open) socket.write('250 2.0.0 Ok: queued as 42\r\n')
  expect(await stopping).toBe(0)
  expect((await gateway.record(queueId))?.recipients).toEqual([{ recipient: 'bob@example.com', state: 'delivered' }])
  expect(nextHop.messages).toHaveLength(1)
})
