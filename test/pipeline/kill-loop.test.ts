// kill -9 at any moment, again and again, under a stream of mail: everything that was acknowledged arrives, once.

import { rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { greeted } from '../ingress/dialogue.ts'
import { type Gateway, startGateway, temporaryDirectory } from './gateway.ts'
import { mail, sendOn } from './mail.ts'

/** Fewer than the tries after which a job is given up. */
const KILLS = 4
const CONNECTIONS = 4

test('a stream of mail survives kill -9 at random moments', { timeout: 40_000 }, async () => {
  const directory = await temporaryDirectory()
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const acknowledged = new Map<string, string>()
  const tried: string[] = []

  /** Sends until the gateway is gone. */
  async function stream({ port }: Gateway): Promise<void> {
    const client = await greeted(port)
    for (;;) {
      const content = mail({ body: `${'x'.repeat(Math.random() < 0.1 ? 100_000 : 1000)}\r\n` })
      tried.push(content)
      const { queueId } = await sendOn(client, { content })
      if (queueId !== '') acknowledged.set(queueId, content)
    }
  }

  for (let kill = 0; kill < KILLS; kill++) {
    const gateway = await startGateway({ directory })
    const streams = Array.from({ length: CONNECTIONS }, () => stream(gateway).catch(() => {}))
    await sleep(20 + Math.random() * 200)
    expect(await gateway.stop('SIGKILL')).toBe('SIGKILL')
    await Promise.all(streams)
    expect((await gateway.ledger()).imbalance).toBe(0)
  }

  const gateway = await startGateway({ directory })
  for (const queueId of acknowledged.keys()) await gateway.settled(queueId, 'delivered')
  // Some were accepted whose 250 nobody heard.
  await vi.waitUntil(async () => {
    const { queued } = await gateway.ledger()
    return queued.incoming + queued.active + queued.deferred === 0
  }, 10_000)
  expect(await gateway.stop()).toBe(0)
  const { accepted, delivered, imbalance } = await gateway.ledger()
  const files = (await gateway.maildir()).map(String)
  expect(acknowledged.size).toBeGreaterThan(KILLS)
  const copies = (content: string) => files.filter(file => file.endsWith(content)).length
  expect([...acknowledged.values()].filter(content => copies(content) !== 1)).toEqual([])
  expect(tried.filter(content => copies(content) > 1)).toEqual([])
  expect({ accepted, imbalance }).toEqual({ accepted: delivered, imbalance: 0 })
  expect(files).toHaveLength(delivered)
})
