// kill -9 in every gap between two steps: what was acknowledged arrives once, what was not is not there or came whole.
import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import type { CrashPoint } from '../../src/platform/crash-point.ts'
import { type NextHop, startNextHop } from '../deliver/next-hop.ts'
import { startGateway, temporaryDirectory } from './gateway.ts'
import { mail, send } from './mail.ts'

let nextHop: NextHop
beforeAll(async () => {
  nextHop = await startNextHop()
})
afterAll(() => nextHop?.close())

type Expected = Readonly<{
  acknowledged: boolean
  /** It was durable already. */
  kept: boolean
  /** When it comes again, the next hop may have it already. */
  inDoubt?: boolean
  copiesAtNextHop?: readonly number[]
}>

const points: Record<CrashPoint, Expected> = {
  'after-store': { acknowledged: false, kept: false },
  'after-enqueue': { acknowledged: false, kept: true },
  'after-reply': { acknowledged: true, kept: true },
  'before-scan': { acknowledged: true, kept: true },
  'after-scan': { acknowledged: true, kept: true },
  'after-verdict': { acknowledged: true, kept: true },
  'before-delivery': { acknowledged: true, kept: true },
  'after-dot-mark': { acknowledged: true, kept: true, inDoubt: true },
  // The only window in which a next hop may get a second copy: from its final dot until its 250 is written down.
  'after-dot': { acknowledged: true, kept: true, inDoubt: true, copiesAtNextHop: [1, 2] },
  'before-ledger': { acknowledged: true, kept: true, inDoubt: true, copiesAtNextHop: [2] },
  'after-outcome': { acknowledged: true, kept: true },
}

const DELIVERY: readonly string[] = [
  'before-delivery',
  'after-dot-mark',
  'after-dot',
  'before-ledger',
  'after-outcome',
] satisfies CrashPoint[]
const cases = Object.entries(points).flatMap(([point, expected]) => {
  const kinds = DELIVERY.includes(point) ? ['bob@maildir.example', 'bob@next-hop.example'] : ['bob@maildir.example']
  return kinds.map(to => ({ point, to, ...expected }))
})

test.each(cases)(
  '$point, mail to $to',
  async ({ point, to, acknowledged, kept, inDoubt = false, copiesAtNextHop = [1] }) => {
    const directory = await temporaryDirectory()
    onTestFinished(() => rm(directory, { recursive: true, force: true }))
    const config = {
      relay: { domains: ['maildir.example', 'next-hop.example'], networks: [] },
      routes: [
        { domains: ['maildir.example'], to: `maildir:${directory}/maildir` },
        { domains: ['next-hop.example'], to: nextHop.url },
      ],
    }
    const content = mail()
    const dying = await startGateway({ directory, config, crashAt: point })
    const sent = await send(dying.port, { to, content }).catch(() => undefined)
    expect(sent?.code).toBe(acknowledged ? 250 : undefined)
    expect(await dying.ended).toBe('SIGKILL')
    expect(await dying.ledger()).toMatchObject({ accepted: kept ? 1 : 0, imbalance: 0 })

    await using gateway = await startGateway({ directory, config })
    const queueId = kept
      ? (await gateway.only(to)).message.queueId
      : (await send(gateway.port, { to, content })).queueId
    const { events } = await gateway.settled(queueId, 'delivered')
    expect(events.filter(({ event }) => event === 'in-doubt')).toHaveLength(inDoubt ? 1 : 0)
    expect(gateway.logged('delivery-in-doubt')).toHaveLength(inDoubt ? 1 : 0)
    expect(await gateway.metric('elemta_delivery_in_doubt_total{reason="crash"}')).toBe(inDoubt ? 1 : 0)
    const inMaildir = (await gateway.maildir()).filter(file => file.includes(content))
    const atNextHop = nextHop.messages.filter(message => message.content.includes(content))
    if (to === 'bob@maildir.example') expect(inMaildir).toHaveLength(1)
    else expect(copiesAtNextHop).toContain(atNextHop.length)
    expect(await gateway.stop()).toBe(0)
    expect(await gateway.ledger()).toMatchObject({
      accepted: 1,
      delivered: 1,
      imbalance: 0,
      queued: { incoming: 0, active: 0, deferred: 0, deadLetters: 0 },
    })
  },
)
