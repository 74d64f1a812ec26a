// What `elemta cost` says a message takes, against what a gateway on emulators of S3 and SQS
// is seen to ask for. What DynamoDB bills is counted in test/storage/dynamodb-bill.test.ts.
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { DELIVERED_BY_SCANNER, PER_MESSAGE } from '../../lib/cost/load.ts'
import { PRICES, priceOf } from '../../src/platform/prices.ts'
import { startGateway } from '../pipeline/gateway.ts'
import { mail, send } from '../pipeline/mail.ts'
import { withScanners } from '../pipeline/scanners.ts'
import { awsFront, awsPlace, storageBlock } from '../storage/aws-home.ts'
import type { Front } from '../storage/http-front.ts'

const MESSAGES = 10
/** The lines of a clean message, each of which CloudWatch Logs bills with so many octets more. */
const MESSAGE_LOG = ['accepted', 'session-ended', 'delivered', 'removed']
const ADDED_TO_LINE = 26

let front: Front
beforeAll(async () => {
  front = await awsFront()
})
afterAll(() => front.close())

test.each([
  ['scanned and delivered by processes of their own', ['ingress,scan', 'ingress,delivery'], PER_MESSAGE],
  ['scanned and delivered by one', ['ingress,scan,delivery'], { ...PER_MESSAGE, ...DELIVERED_BY_SCANNER }],
])('a message of 75 KB, %s', async (_, processes, each) => {
  const scanners = withScanners(inject('clamav'), inject('rspamd'))
  const storage = storageBlock(await awsPlace(front.endpoint))
  await using tasks = new AsyncDisposableStack()
  const gateways = await Promise.all(
    processes.map(async roles => tasks.use(await startGateway({ roles, config: { ...scanners, storage } }))),
  )
  const [ingress] = gateways
  for (let n = 0; n < MESSAGES; n++) {
    const { queueId } = await send(ingress!.port, { content: mail({ body: `${'x'.repeat(73)}\r\n`.repeat(1000) }) })
    await ingress!.settled(queueId, 'delivered')
  }
  const told = async (component: string) => {
    const costs = gateways.map(gateway => gateway.metric(`elemta_cost_usd_total{component="${component}"}`))
    return (await Promise.all(costs)).reduce((sum, usd) => sum + usd, 0) / MESSAGES
  }
  const { s3Puts, s3Gets, sqsRequests, logOctets } = each
  const lines = () => gateways.flatMap(gateway => MESSAGE_LOG.flatMap(event => gateway.logged(event)))
  await expect.poll(() => lines().length).toBe(MESSAGES * MESSAGE_LOG.length)
  const logged = lines().reduce((sum, line) => sum + JSON.stringify(line).length + ADDED_TO_LINE, 0) / MESSAGES
  expect(logged).toBeGreaterThan(logOctets / 2)
  expect(logged).toBeLessThan(logOctets)
  expect(await told('s3')).toBeCloseTo(priceOf(PRICES.s3Put, s3Puts) + priceOf(PRICES.s3Get, s3Gets), 9)
  // Receives that found nothing are in it, and batches that had more than one.
  const wakeUps = (await told('sqs')) / priceOf(PRICES.sqsRequest, 1)
  expect(wakeUps).toBeGreaterThan(sqsRequests / 2)
  expect(wakeUps).toBeLessThan(sqsRequests * 1.5)
})
