// A gateway reduced to its storage, to be killed: accepts messages of all sizes, eight at a time, and finishes every
// third. Each line on stdout is written after what it says is true: `accepted ID`, `finishing ID`, `finished ID`, `refused CODE`.
// A content's SHA-256 is its Message-ID, so that whoever finds it can tell whether it is whole.
// Arguments: data directory, messages per opening (it opens the directory twice), synchronous.
import { createHash } from 'node:crypto'
import { writeSync } from 'node:fs'
import { openEmbedded } from '../../src/backends.ts'
import { mintQueueId } from '../../src/mail/queue-id.ts'
import type { Backends } from '../../src/storage/backends.ts'
import { acceptedEvent, acceptedMessage, octets, scanJob, untilTestEnds } from '../contract/home.ts'

const SIZES = [100, 5000, 5000, 5000, 60_000, 200, 150_000]
const [dataDir = '', count = '', synchronous = ''] = process.argv.slice(2)

const say = (what: string) => writeSync(1, `${what}\n`)
const refused = (error: Error & { code?: string }) => say(`refused ${error.code}`)

async function accept(backends: Backends, n: number) {
  const queueId = mintQueueId(Date.now())
  const content = octets(SIZES[n % SIZES.length]!, n + Date.now())
  const hash = createHash('sha256').update(content).digest('hex')
  const draft = backends.messages.draft(queueId)
  await draft.write(content)
  await draft.seal()
  await backends.together(
    () => draft.commit(),
    () => backends.records.create(acceptedMessage({ queueId, size: draft.size, messageId: hash }), acceptedEvent()),
    () => backends.scanJobs.enqueue({ ...scanJob(queueId), queueId }),
  )
  say(`accepted ${queueId}`)
}

async function finishOne({ messages, records, scanJobs, together }: Backends) {
  const [lease] = await scanJobs.lease(1, untilTestEnds)
  const { queueId } = lease!.job
  say(`finishing ${queueId}`)
  await together(
    () => records.note(queueId, [], [{ recipient: 'user@example.com', state: 'delivered' }]),
    () => scanJobs.done(lease!),
  )
  await messages.remove(queueId)
  say(`finished ${queueId}`)
}

for (let opening = 0; opening < 2; opening++) {
  const writer = { synchronous: synchronous === 'NORMAL' ? 'NORMAL' : 'FULL' } as const
  const backends = await openEmbedded({ dataDir, now: Date.now, writer })
  let started = 0
  const client = async () => {
    while (started < Number(count)) {
      const n = started++
      await accept(backends, n).catch(refused)
      if (n % 3 === 2) await finishOne(backends).catch(refused)
    }
  }
  await Promise.all(Array.from({ length: 8 }, client))
  await backends.close()
}
