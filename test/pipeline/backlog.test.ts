// Nobody scans or delivers for a while: mail is taken up to the mark and not beyond it, and when the workers are back
// it goes out in the order in which it came.
import { expect, onTestFinished, test } from 'vitest'
import { startNextHop } from '../deliver/next-hop.ts'
import { startGateway } from './gateway.ts'
import { mail, send } from './mail.ts'

test('what came while all workers were gone goes out in order, once, when they are back', async () => {
  const nextHop = await startNextHop()
  onTestFinished(() => nextHop.close())
  const config = {
    routes: [{ domains: ['*'], to: nextHop.url }],
    limits: { queued_messages: 5 },
    scan: { concurrency: 1 },
    delivery: { concurrency: 1 },
  }
  await using edge = await startGateway({ config, roles: 'ingress' })
  const taken: string[] = []
  for (;;) {
    const { code, reply, queueId } = await send(edge.port, { content: mail() })
    if (code !== 250) {
      expect(reply).toMatch(/^451 4\.3\.2 /)
      break
    }
    taken.push(queueId)
    if (taken.length > 5) await edge.log(({ event }) => event === 'back-pressure')
  }
  expect(taken.length).toBeGreaterThanOrEqual(5)
  expect(await edge.ledger()).toMatchObject({
    accepted: taken.length,
    queued: { incoming: taken.length },
    imbalance: 0,
  })
  await edge.stop()

  await using gateway = await startGateway({ config, directory: edge.directory })
  for (const queueId of taken) await gateway.settled(queueId, 'delivered')
  const order = nextHop.messages.map(({ content }) => / id (\w{20})\r\n/.exec(String(content))?.[1])
  expect(order).toEqual(taken)
  expect(await gateway.ledger()).toMatchObject({ accepted: taken.length, delivered: taken.length, imbalance: 0 })
})
