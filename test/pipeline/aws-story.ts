// One message's way through the stages in this process, a step at a time, on emulators behind a front of its own; and a
// clock that moves only between rounds. What runs out or waits for its time (leases, claims, delays) does so at once then.

import { createDeliveryStage } from '../../local/delivery-stage.ts'
import { type AwsBackends, openAws, openAwsPolicyStore } from '../../src/backends-aws.ts'
import { accept } from '../../src/ingress/accept.ts'
import type { Job } from '../../src/mail/job.ts'
import { mintQueueId } from '../../src/mail/queue-id.ts'
import { parseConfig } from '../../src/platform/config-load.ts'
import { createLimit } from '../../src/platform/limit.ts'
import { silentLog } from '../../src/platform/log.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { createScanHandler } from '../../src/scan/scan-job.ts'
import { createGiveUp } from '../../src/spool/dead-letter.ts'
import { createJobRun, type JobRun } from '../../src/spool/job-run.ts'
import { sweepDeferred } from '../../src/spool/sweep.ts'
import type { SqsJobQueue } from '../../src/storage/job-queue-sqs.ts'
import { acceptedMessage } from '../contract/home.ts'
import { awsFront, awsPlace, POLLS } from '../storage/aws-home.ts'
import type { Front } from '../storage/http-front.ts'

export type Story = Readonly<{
  front: Front
  /** Of somebody who looks on, and whom no fault meets. */
  looking: AwsBackends
  now(): number
  /** As SMTP does it; the code of the reply. */
  accept(recipient: string): Promise<Readonly<{ queueId: string; code: number }>>
  /** Does the jobs that are due, for which somebody must be woken. */
  round(): Promise<void>
  /** An hour later: every lease, claim and delay is over, and those whom no fault meets wake whoever waits. */
  later(): Promise<void>
  close(): Promise<void>
}>

const HOUR = 3_600_000
/** Milliseconds after which no wake-up comes any more. */
const PATIENCE = 3000
const CONTENT = Buffer.from('Subject: A story\r\nFrom: alice@example.org\r\n\r\nHello\r\n')

export type StoryOptions = Readonly<{
  /** Where everything goes, as a route has it. */
  nextHop: string
  /** Milliseconds that AWS has for an answer. */
  answerTime?: number
  /** Told whenever somebody has got on or given up. */
  afterStep?: () => void
}>

export async function startStory({ nextHop, answerTime = 20_000, afterStep = () => {} }: StoryOptions): Promise<Story> {
  let late = 0
  const now = () => Date.now() + late
  const front = await awsFront()
  const onlooker = await awsFront()
  const place = await awsPlace(onlooker.endpoint)
  const looking = await openAws({ place, now, polls: POLLS })
  const behindFront = { ...place, endpoint: front.endpoint }
  const backends = await openAws({ place: behindFront, now, polls: POLLS, answerTime })
  const store = openAwsPolicyStore(behindFront)
  const config = parseConfig(`routes: [{ domains: ['*'], to: '${nextHop}' }]`, { file: 'story', env: {} })
  const metrics = createMetrics()
  const log = silentLog
  const parts = { config, backends, store, log, metrics, now }
  const { reroute: _, resume: __, close: closeDelivery, ...delivery } = createDeliveryStage(parts)
  /** Who waits because the storage is away has given up for now, and goes on under the same lease. */
  function retryDelay(): number {
    afterStep()
    return 1
  }
  const scanning = createJobRun({
    stage: 'scan',
    queue: backends.scanJobs,
    handle: createScanHandler({
      ...{ backends, now, log, metrics, scanners: [], policy: {}, logClean: false },
      limit: createLimit(1),
      retrySchedule: { delays: [HOUR], lifetime: 100 * HOUR },
    }),
    giveUp: createGiveUp(backends.scanJobs, parts),
    retryDelay,
    log,
    metrics,
  })
  const delivering = createJobRun({ ...delivery, queue: backends.deliveryJobs, retryDelay })

  /** What a worker does when it is woken, or gives up waiting, or cannot lease. Resolves with how many jobs it did. */
  async function work<J extends Job>(queue: SqsJobQueue<J>, { run }: JobRun<J>): Promise<number> {
    const leases = await queue.lease(1, AbortSignal.timeout(PATIENCE)).catch(() => [])
    for (const lease of leases) {
      await run(lease)
      afterStep()
    }
    afterStep()
    return leases.length
  }

  /** Wake-ups that are under way, as far as is known. */
  let woken = { scan: 1, delivery: 0 }

  return {
    front,
    looking,
    now,
    async accept(recipient) {
      const queueId = mintQueueId(now())
      const draft = backends.messages.draft(queueId)
      await draft.write(CONTENT)
      const message = acceptedMessage({ queueId, acceptedAt: now(), recipients: [recipient], size: CONTENT.length })
      const { reply } = await accept(draft, message, backends, { log, givenUp: () => false })
      afterStep()
      return { queueId, code: reply.code }
    },
    async round() {
      const scanned = woken.scan > 0 ? await work(backends.scanJobs, scanning) : 0
      if (woken.delivery + scanned > 0) await work(backends.deliveryJobs, delivering)
    },
    async later() {
      late += HOUR
      const due = { grace: -1, patience: -1, max: 10 }
      await sweepDeferred(looking, now())
      const [scan, delivery] = await Promise.all([looking.scanJobs.resend(due), looking.deliveryJobs.resend(due)])
      woken = { scan, delivery }
    },
    async close() {
      await closeDelivery()
      await backends.close()
      await store.close()
      await looking.close()
      await Promise.all([front.close(), onlooker.close()])
    },
  }
}
