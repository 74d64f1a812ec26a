// Compares a spool with what its process said before it died: everything acknowledged is there, whole, and nothing
// half-written is visible.
import { createHash } from 'node:crypto'
import { openEmbedded } from '../../src/backends.ts'
import type { Backends } from '../../src/storage/backends.ts'
import { listed, read } from '../contract/message-store.ts'

/** What is wrong with the spool, one line each; `said` are the lines of accept-messages.ts. */
export async function findFaults(dataDir: string, said: readonly string[]): Promise<string[]> {
  const backends = await openEmbedded({ dataDir, now: Date.now })
  try {
    return await compare(backends, said)
  } finally {
    await backends.close()
  }
}

async function compare(backends: Backends, said: readonly string[]): Promise<string[]> {
  const faults: string[] = []
  const saidOf = (what: string) =>
    new Set(said.filter(line => line.startsWith(`${what} `)).map(line => line.split(' ')[1]!))
  const [accepted, finishing, finished] = [saidOf('accepted'), saidOf('finishing'), saidOf('finished')]
  const { incoming } = await backends.scanJobs.tally()
  const leases = incoming.jobs > 0 ? await backends.scanJobs.lease(incoming.jobs, AbortSignal.timeout(5000)) : []
  const jobs = new Set(leases.map(lease => lease.job.queueId))
  const contents = new Set(await listed(backends.messages))

  for (const queueId of new Set([...accepted, ...jobs, ...contents])) {
    const record = await backends.records.get(queueId)
    const state = record?.recipients[0]?.state
    if (record === undefined || state === undefined) {
      faults.push(`${queueId}: no record (job: ${jobs.has(queueId)}, content: ${contents.has(queueId)})`)
    } else if (state === 'delivered') {
      if (!finishing.has(queueId)) faults.push(`${queueId}: finished by nobody`)
      if (jobs.has(queueId)) faults.push(`${queueId}: finished, but has a job`)
    } else {
      if (finished.has(queueId)) faults.push(`${queueId}: finished, but is ${state}`)
      if (!jobs.has(queueId)) faults.push(`${queueId}: no job`)
      const content = await read(backends.messages, queueId).catch(error => Buffer.from(String(error)))
      const hash = createHash('sha256').update(content).digest('hex')
      if (hash !== record.message.messageId) faults.push(`${queueId}: wrong content of ${content.length} octets`)
    }
  }
  return faults
}
