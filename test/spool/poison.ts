// A process that works on the scan queue of a data directory until it dies or has nothing left to do: for the worker's
// test. The job of the queue id in the second argument kills it.
import { openEmbedded } from '../../src/backends.ts'
import { silentLog } from '../../src/platform/log.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { createGiveUp } from '../../src/spool/dead-letter.ts'
import { startWorker } from '../../src/spool/worker.ts'

const [dataDir = '', poison] = process.argv.slice(2)
const backends = await openEmbedded({ dataDir, now: Date.now })
const metrics = createMetrics()
const giveUp = createGiveUp(backends.scanJobs, { backends, now: Date.now, log: silentLog, metrics })
const worker = startWorker({
  stage: 'scan',
  queue: backends.scanJobs,
  concurrency: 10,
  async handle(lease) {
    // Everybody has begun before the poison takes effect.
    await new Promise(resolve => setTimeout(resolve, 20))
    if (lease.job.queueId === poison) process.kill(process.pid, 'SIGKILL')
    await new Promise(resolve => setTimeout(resolve, 20))
    const { queueId, recipients } = lease.job
    const changes = recipients.map(recipient => ({ recipient, state: 'delivered' as const }))
    await backends.together(
      () => backends.records.note(queueId, [], changes),
      () => backends.scanJobs.done(lease),
    )
  },
  giveUp,
  log: silentLog,
  metrics,
})
for (;;) {
  const { incoming, active } = await backends.scanJobs.tally()
  if (incoming.jobs + active.jobs === 0) break
  await new Promise(resolve => setTimeout(resolve, 10))
}
await worker.drain()
await backends.close()
