// More mail than the next hop takes: beyond the mark clients are told to come back before they have sent anything, and
// as soon as the queue is shorter mail is taken again.
import { expect, onTestFinished, test, vi } from 'vitest'
import { freePort } from '../../local/embedded/port.ts'
import { startNextHop } from '../deliver/next-hop.ts'
import { greeted } from '../ingress/dialogue.ts'
import { startGateway } from './gateway.ts'
import { mail, send } from './mail.ts'

test('a queue beyond limits.queued_messages: 451 4.3.2 at MAIL, and mail is taken again when it has drained', async () => {
  const port = await freePort()
  await using gateway = await startGateway({
    config: {
      routes: [{ domains: ['*'], to: `smtp://127.0.0.1:${port}` }],
      delivery: { retry_schedule: ['500ms'] },
      limits: { queued_messages: 2 },
    },
  })
  const pressure = () => gateway.metric('elemta_back_pressure{reason="queue"}')
  expect(await pressure()).toBe(0)
  const taken = await Promise.all([1, 2, 3].map(() => send(gateway.port, { content: mail() })))
  expect(taken.map(({ code }) => code)).toEqual([250, 250, 250])
  await gateway.log(({ event, reason }) => event === 'back-pressure' && reason === 'queue')
  expect(await pressure()).toBe(1)

  const client = await greeted(gateway.port)
  expect(await client.say('MAIL FROM:<alice@sender.example>')).toMatch(/^451 4\.3\.2 /)
  expect(await client.say('NOOP')).toMatch(/^250 /)
  expect(await gateway.metric('elemta_messages_tempfailed_total{reason="room"}')).toBe(1)
  expect(await gateway.log(({ event, stage }) => event === 'deferred' && stage === 'mail')).toMatchObject({
    reply: expect.stringMatching(/^451 4\.3\.2 /),
  })

  const nextHop = await startNextHop({}, port)
  onTestFinished(() => nextHop.close())
  // The next hop was given up for a while: an operator says that it is back.
  await gateway.elemta('queue', 'flush')
  for (const { queueId } of taken) await gateway.settled(queueId, 'delivered')
  await gateway.log(({ event, reason }) => event === 'back-pressure' && reason === 'none')
  expect(await pressure()).toBe(0)
  await vi.waitFor(async () => expect(await client.say('MAIL FROM:<alice@sender.example>')).toMatch(/^250 /))
  client.hangUp()
  expect(await gateway.ledger()).toMatchObject({ accepted: 3, delivered: 3, imbalance: 0 })
})
