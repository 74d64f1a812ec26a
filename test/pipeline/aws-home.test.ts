// A whole gateway whose home is AWS, on emulators: what comes in by SMTP is in the bucket, the table and the queues, and
// an operator sees the same as at home.
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { awsFront, awsPlace, storageBlock } from '../storage/aws-home.ts'
import type { Front } from '../storage/http-front.ts'
import { startGateway } from './gateway.ts'
import { EICAR, mail, send } from './mail.ts'
import { withScanners } from './scanners.ts'

let front: Front
beforeAll(async () => {
  front = await awsFront()
})
afterAll(() => front.close())

test('takes mail, scans it, delivers it, sets aside what is bad, and tells of it', async () => {
  const scanners = withScanners(inject('clamav'), inject('rspamd'))
  const storage = storageBlock(await awsPlace(front.endpoint))
  await using gateway = await startGateway({ config: { ...scanners, storage } })
  const clean = await send(gateway.port, { content: mail({ body: 'Hello Bob\r\n' }) })
  const large = await send(gateway.port, { content: mail({ body: `${'x'.repeat(70)}\r\n`.repeat(90_000) }) })
  const bad = await send(gateway.port, { content: mail({ body: `${EICAR}\r\n` }) })
  for (const { reply } of [clean, large, bad]) expect(reply).toMatch(/^250 /)

  const record = await gateway.settled(clean.queueId, 'delivered')
  expect(record.events.map(({ event }) => event)).toEqual(['accepted', 'scanned', 'verdict', 'delivered'])
  await gateway.settled(large.queueId, 'delivered')
  await gateway.settled(bad.queueId, 'quarantined')
  const sizes = (await gateway.maildir()).map(({ length }) => length).sort((a, b) => a - b)
  expect(sizes).toHaveLength(2)
  expect(sizes[1]).toBeGreaterThan(6_000_000)

  const trace = await gateway.elemta('trace', clean.queueId)
  expect(trace.stdout).toMatch(/now +delivered: bob@example\.com/)
  expect((await gateway.elemta('quarantine', 'list')).stdout).toContain(bad.queueId)
  expect((await gateway.elemta('quarantine', 'discard', bad.queueId)).code).toBe(0)
  await gateway.settled(bad.queueId, 'discarded')
  const ledger = await gateway.elemta('ledger', '--json')
  expect(JSON.parse(ledger.stdout)).toMatchObject({ accepted: 3, delivered: 2, discarded: 1, imbalance: 0 })
  expect(await gateway.metric('elemta_ledger_imbalance')).toBe(0)
})
