// What a message costs in DynamoDB, in requests and in units: the numbers that docs/aws-storage.md tells.
import { expect, test } from 'vitest'
import { mintQueueId } from '../../src/mail/queue-id.ts'
import type { TraceEvent } from '../../src/mail/record.ts'
import { createDynamoPolicyStore } from '../../src/storage/policy-store-dynamodb.ts'
import { CURSOR_LAG } from '../../src/storage/young-messages-dynamodb.ts'
import type { Bill } from '../contract/dynalite.ts'
import { freshTable, ownDynalite, useDynalite } from '../contract/dynamo-tables.ts'
import { acceptedEvent, acceptedMessage } from '../contract/home.ts'
import { dynamoHome } from './dynamo-home.ts'
import { accept, BOB, delivering, end, mark, oneMessage, scanned, scanning, told } from './folded-story.ts'

useDynalite()

async function costOf(steps: () => Promise<unknown>): Promise<Omit<Bill, 'exact'>> {
  const { bill } = await ownDynalite()
  Object.assign(bill, { requests: {}, writeUnits: 0, readUnits: 0, exact: true })
  await steps()
  const { exact, ...cost } = structuredClone(bill)
  bill.exact = false
  return cost
}

/** As Rspamd speaks of ordinary mail from one of the large senders. */
const RESULTS =
  'mx.example.com;\r\n\tdkim=pass header.d=example.org header.s=20230601 header.b=YkQ3x1Zp;\r\n\tspf=pass (mx.example.com: domain of jane.doe@example.org designates 192.0.2.47 as permitted sender) smtp.mailfrom=jane.doe@example.org;\r\n\tdmarc=pass (policy=none) header.from=example.org'
const SYMBOLS =
  'ARC_NA TO_DN_ALL FROM_HAS_DN FREEMAIL_FROM FREEMAIL_ENVFROM DKIM_TRACE TO_MATCH_ENVRCPT_ALL MIME_GOOD FROM_EQ_ENVFROM MIME_TRACE RCVD_COUNT_TWO RCPT_COUNT_ONE ASN RCVD_TLS_LAST DMARC_POLICY_ALLOW R_SPF_ALLOW R_DKIM_ALLOW BAYES_HAM RCVD_IN_DNSWL_NONE DWL_DNSWL_NONE PREVIOUSLY_DELIVERED MISSING_XM_UA'
const AUTHENTICATION = { name: 'Authentication-Results', value: RESULTS }
const REPLY = '250 2.0.0 Ok: queued as 4XqZ2b1jJzz9sTb'
const MESSAGE_ID = '<CAGWxqrZQn8S4cJ2mKXv+Tz6LNpM=yF3VxRb@mail.example.org>'
const HEADERS = [
  { name: 'X-Virus-Scanned', value: 'ClamAV' },
  { name: 'X-Virus-Status', value: 'Clean' },
  { name: 'X-Spam-Status', value: 'No, score=-2.31 required=15.00' },
  { name: 'X-Spam-Score', value: '-2.31' },
  AUTHENTICATION,
]

function findings(at: number): TraceEvent[] {
  const symbols = Object.fromEntries(SYMBOLS.split(' ').map((name, n) => [name, n % 3 === 0 ? -0.1 * n : 0]))
  const scored = { scanner: 'rspamd', kind: 'scored', score: -2.31, requiredScore: 15, action: 'no action' } as const
  const both = [
    { scanner: 'clamav', kind: 'clean' },
    { ...scored, symbols, headers: [AUTHENTICATION] },
  ] as const
  return [
    { at, event: 'scanned', findings: both, seconds: 0.2818518600000007 },
    { at, event: 'verdict', decision: 'deliver', why: 'clean (ClamAV), score -2.31 of 15 (Rspamd)' },
  ]
}

test('a message that is accepted, scanned and delivered to one recipient', async () => {
  const home = await dynamoHome()
  const { records, scanRows, deliveryRows, together, settle } = home.make({ keep: 30 * 86_400_000 })
  const queueId = mintQueueId(home.now())
  const recipient = 'user@example.com'
  const message = acceptedMessage({ queueId, reversePath: 'jane.doe@example.org', messageId: MESSAGE_ID })
  const job = { queueId, recipients: [recipient], attempt: 1 }

  const accepted = await costOf(() =>
    together(
      () => records.create(message, acceptedEvent()),
      () => scanRows.put({ ...job, kind: 'scan', id: `${queueId}/scan/1` }),
    ),
  )
  expect(accepted).toEqual({ requests: { PutItem: 1 }, writeUnits: 2, readUnits: 0 })

  const at = home.now()
  const scan = await costOf(async () => {
    const answer = await scanRows.lease(`${queueId}/scan/1`)
    if (answer.got !== 'lease') throw new Error(answer.got)
    await records.get(queueId)
    await together(
      () => deliveryRows.put({ ...job, kind: 'delivery', id: `${queueId}/delivery/1`, headers: HEADERS }),
      () => records.note(queueId, findings(at), [{ recipient, state: 'queued' }]),
      () => scanRows.done(answer.lease),
    )
  })
  expect(scan).toEqual({ requests: { UpdateItem: 2, Query: 1 }, writeUnits: 2, readUnits: 1 })

  const delivered = await costOf(async () => {
    const answer = await deliveryRows.lease(`${queueId}/delivery/1`)
    if (answer.got !== 'lease') throw new Error(answer.got)
    const { token: claimant } = answer.lease
    await records.get(queueId)
    await records.claim(queueId, [recipient], { claimant, until: at + 1000 }, at)
    const nextHop = 'smtp://192.0.2.25:25'
    await records.sending(queueId, [recipient], { claimant, attempt: 1, at, nextHop })
    const event = { at, event: 'delivered', recipient, nextHop, reply: REPLY, seconds: 0.1442 } as const
    await together(
      () => records.note(queueId, [event], [{ recipient, state: 'delivered' }]),
      () => deliveryRows.done(answer.lease),
    )
  })
  expect(delivered).toEqual({
    requests: { UpdateItem: 3, Query: 1 },
    writeUnits: 3,
    readUnits: 1,
  })

  await home.advance(CURSOR_LAG + 1)
  const settled = await costOf(settle)
  expect(settled.writeUnits).toBe(1)
})

test('a message that is scanned and delivered by one process', async () => {
  const { spool, queueId, home } = await oneMessage()
  const { records, scanRows, deliveryRows, together } = spool
  const recipients = [BOB]
  const job = {
    kind: 'delivery',
    id: `${queueId}/delivery/1`,
    queueId,
    recipients,
    attempt: 1,
    headers: HEADERS,
  } as const
  const cost = await costOf(async () => {
    await accept(spool, queueId)
    const scan = await scanning(spool, queueId)
    let own: Awaited<ReturnType<typeof deliveryRows.putLeased>> = false
    await together(
      async () => {
        own = await deliveryRows.putLeased(job)
      },
      () => records.note(queueId, findings(home.now()), [{ recipient: BOB, state: 'queued' }]),
      () => scanRows.done(scan),
    )
    if (typeof own === 'boolean') throw new Error('it is not leased')
    await mark(spool, own, home.now())
    await end(spool, own)
  })
  expect(cost).toEqual({ requests: { PutItem: 1, UpdateItem: 4 }, writeUnits: 6, readUnits: 0 })
})

test('a message that is deferred once, and delivered then', async () => {
  const { spool, queueId, home } = await oneMessage()
  const at = home.now()
  const cost = await costOf(async () => {
    await accept(spool, queueId)
    await scanned(spool, await scanning(spool, queueId))
    const first = await delivering(spool, queueId)
    await mark(spool, first, at)
    const job = { ...first.job, id: `${queueId}/delivery/2`, attempt: 2 }
    const { records, deliveryRows } = spool
    await spool.together(
      () => records.defer({ job, dueAt: at }),
      () => records.note(queueId, [told({ event: 'deferred' })], [{ recipient: BOB, state: 'deferred' }]),
      () => deliveryRows.done(first),
    )
    await spool.together(
      () => deliveryRows.put(job),
      () => records.note(queueId, [], [{ recipient: BOB, state: 'queued' }]),
      () => records.undefer(job.id),
    )
    const answer = await deliveryRows.lease(job.id)
    if (answer.got !== 'lease') throw new Error(answer.got)
    await mark(spool, answer.lease, at)
    await end(spool, answer.lease)
  })
  expect(cost.writeUnits).toBe(62)
})

test('a session of somebody whom greylisting knows, and of a stranger', async () => {
  const store = createDynamoPolicyStore({ table: await freshTable('policy') })
  const seen = () => ({ value: { seen: 1 }, expiresAt: 1000 })
  const stranger = await costOf(() => store.update('greylist', 'key', 0, seen))
  expect(stranger).toEqual({ requests: { GetItem: 1, PutItem: 1 }, writeUnits: 2, readUnits: 1 })
  const known = await costOf(() => store.get('greylist', 'key', 0))
  expect(known).toEqual({ requests: { GetItem: 1 }, writeUnits: 0, readUnits: 1 })
})
