// Accepts messages until the disk is full or the reserve is reached, then does what the scenario says; prints what
// happened as JSON. To be run on a small file system. Arguments: data directory, scenario as JSON.
import { rm, writeFile } from 'node:fs/promises'
import { openEmbedded } from '../../src/backends.ts'
import { mintQueueId } from '../../src/mail/queue-id.ts'
import { replyForError } from '../../src/mail/reply.ts'
import { acceptedEvent, acceptedMessage, octets, scanJob, untilTestEnds } from '../contract/home.ts'
import { listed, read, writeAll } from '../contract/message-store.ts'

export type Scenario = {
  size: number
  reserve: number
  /** Somebody removes other files, or all messages are delivered. */
  relief: 'get room' | 'finish'
}

const [dataDir = '', scenario = ''] = process.argv.slice(2)
const { size, reserve, relief } = JSON.parse(scenario) as Scenario
const content = octets(size)
const otherFile = `${dataDir}-other`

await writeFile(otherFile, Buffer.alloc(2_000_000))
const backends = await openEmbedded({ dataDir, now: Date.now, reserve, writer: { checkpointPages: 250 } })

/** The queue id, or what a client would be told. */
async function accept(): Promise<{ queueId: string } | { reply: string }> {
  const queueId = mintQueueId(Date.now())
  const draft = backends.messages.draft(queueId)
  try {
    await writeAll(draft, content)
    await draft.seal()
    await backends.together(
      () => draft.commit(),
      () => backends.records.create(acceptedMessage({ queueId, size }), acceptedEvent()),
      () => backends.scanJobs.enqueue({ ...scanJob(queueId), queueId }),
    )
    return { queueId }
  } catch (error) {
    await draft.discard()
    const { code, enhancedCode } = replyForError(error)
    return { reply: `${code} ${enhancedCode}` }
  }
}

async function acceptUntilRefused(refusals: number) {
  const accepted: string[] = []
  const replies: string[] = []
  while (replies.length < refusals) {
    const outcome = await accept()
    if ('queueId' in outcome) accepted.push(outcome.queueId)
    else replies.push(outcome.reply)
  }
  return { accepted: accepted.sort(), replies }
}

async function finishAll() {
  const { incoming } = await backends.scanJobs.tally()
  for (const lease of await backends.scanJobs.lease(incoming.jobs, untilTestEnds)) {
    const { queueId } = lease.job
    await backends.together(
      () => backends.records.note(queueId, [], [{ recipient: 'user@example.com', state: 'delivered' }]),
      () => backends.scanJobs.done(lease),
    )
    await backends.messages.remove(queueId)
  }
}

const { accepted, replies } = await acceptUntilRefused(5)
const kept = await listed(backends.messages)
let whole = 0
for (const queueId of kept) if ((await read(backends.messages, queueId)).equals(content)) whole++

if (relief === 'get room') await rm(otherFile)
else await finishAll()
// Room is not looked up at every message.
let outcome = await accept()
for (let tries = 0; 'reply' in outcome && tries < 20; tries++) {
  await new Promise(resolve => setTimeout(resolve, 25))
  outcome = await accept()
}

const { accepted: counted } = await backends.records.tally()
await backends.close()
console.log(
  JSON.stringify({
    replies,
    nothingElseKept: kept.join() === accepted.join(),
    broken: kept.length - whole,
    worksAgain: 'queueId' in outcome,
    unaccounted: counted - accepted.length - 1,
  }),
)
