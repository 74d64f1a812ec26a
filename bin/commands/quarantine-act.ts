// `elemta quarantine release|discard`: acts, and for a release waits until the next hop has answered. "Released" is
// said of nothing else: what is still on its way, or was set aside again, is told as that.
// Exit codes: 0 all done; 66 something was not there to act on; 75 not delivered yet; 1 set aside again, or failed.
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import type { MessageRecord, TraceEvent } from '../../src/mail/record.ts'
import { EXIT } from '../../src/platform/exit.ts'
import { harmlessLine } from '../../src/spool/harmless-text.ts'
import type { QuarantineAnswer } from '../../src/spool/quarantine-operations.ts'
import { durationOf } from './arguments.ts'
import { type CallOperator, withOperator } from './operator-client.ts'
import { type ActOptions, selectionOf } from './quarantine-options.ts'

type Act = 'release' | 'discard'

/** What became of one recipient. */
type Result = Readonly<{
  queueId: string
  recipient: string
  outcome: 'released' | 'queued' | 'quarantined' | 'failed' | 'discarded'
  /** The next hop's reply, or why it is not so far. */
  detail: string
}>

const LOOK_INTERVAL = 200
const NOTHING: QuarantineAnswer = { changed: [], ended: [], unclear: [], unknown: [] }

export async function run(act: Act, ids: readonly string[], options: ActOptions): Promise<void> {
  const selection = selectionOf(ids, options)
  const patience = durationOf(options.wait ?? '0s')
  await withOperator(options.config, async call => {
    const lessons =
      options.learn === undefined || options.dryRun ? undefined : await prepareLessons(call, selection, options)
    const since = Date.now()
    const answer = await actOnAll(call, `quarantine/${act}`, selection)
    if (options.dryRun) return tell(act, answer, [], options)
    const results = act === 'release' ? await waitForAll(call, answer, since + patience) : discarded(answer)
    tell(act, answer, results, options)
    await lessons?.teach(answer.changed.map(({ queueId }) => queueId))
  })
}

async function actOnAll(call: CallOperator, name: string, selection: object): Promise<QuarantineAnswer> {
  let all = NOTHING
  let after: string | undefined
  do {
    const page: QuarantineAnswer = await call(name, { ...selection, ...(after !== undefined && { after }) })
    all = {
      changed: [...all.changed, ...page.changed],
      ended: [...all.ended, ...page.ended],
      unclear: [...all.unclear, ...page.unclear],
      unknown: [...all.unknown, ...page.unknown],
    }
    after = page.next
  } while (after !== undefined)
  return all
}

/** Reads what is to be learned before it may be gone. */
async function prepareLessons(call: CallOperator, selection: object, { learn: kind, config: file }: ActOptions) {
  const { loadConfig } = await import('../../src/platform/config-load.ts')
  const { findController, inWords } = await import('./learn.ts')
  const { withRecords } = await import('./spool-reader.ts')
  const { learn } = await import('../../src/scan/learn.ts')
  const controller = await findController(loadConfig(file))
  const { changed } = await actOnAll(call, 'quarantine/release', { ...selection, dryRun: true })
  const contents = new Map<string, Buffer>()
  await withRecords(file, async ({ messages }) => {
    for (const { queueId } of changed) {
      const { chunks } = await messages.open(queueId)
      contents.set(queueId, await buffer(chunks()))
    }
  })
  return {
    async teach(queueIds: readonly string[]) {
      for (const queueId of queueIds) {
        const content = contents.get(queueId)
        if (content === undefined) continue
        process.stderr.write(`elemta: ${queueId} as ${kind}: ${inWords(await learn(controller, kind!, content))}\n`)
      }
    },
  }
}

function discarded({ changed }: QuarantineAnswer): Result[] {
  return changed.flatMap(({ queueId, recipients }) =>
    recipients.map(recipient => ({ queueId, recipient, outcome: 'discarded' as const, detail: '' })),
  )
}

/** Until every recipient has an answer, or the time is up. */
async function waitForAll(call: CallOperator, { changed }: QuarantineAnswer, until: number): Promise<Result[]> {
  const results: Result[] = []
  for (const { queueId, recipients } of changed) {
    for (;;) {
      const { record } = await call<{ record: MessageRecord }>('queue/show', { id: queueId })
      const found = recipients.map(recipient => resultOf(record, recipient))
      if (found.every(({ outcome, detail }) => outcome !== 'queued' || detail !== '') || Date.now() >= until) {
        results.push(...found)
        break
      }
      await sleep(LOOK_INTERVAL)
    }
  }
  return results
}

/** Only what happened after the last release by a person counts. */
function resultOf({ message: { queueId }, recipients, events }: MessageRecord, recipient: string): Result {
  const released = events.findLastIndex(
    event => event.event === 'operator' && event.action === 'release' && event.recipients.includes(recipient),
  )
  const later = events.slice(released + 1).filter(event => isAbout(event, recipient))
  const state = recipients.find(one => one.recipient === recipient)?.state
  const last = later.at(-1)
  const delivered = later.find(({ event }) => event === 'delivered')
  const told = later.some(({ event }) => event === 'released')
  const about = { queueId, recipient }
  if (told && delivered?.event === 'delivered') return { ...about, outcome: 'released', detail: delivered.reply }
  const detail = last === undefined ? '' : 'reply' in last ? last.reply : 'why' in last ? (last.why ?? '') : ''
  if (state === 'quarantined') return { ...about, outcome: 'quarantined', detail }
  if (state === 'failed' || state === 'deleted' || state === 'discarded')
    return { ...about, outcome: 'failed', detail: detail || state }
  return { ...about, outcome: 'queued', detail: state === 'held' ? `held, ${detail}` : detail }
}

function isAbout(event: TraceEvent, recipient: string): boolean {
  if ('recipient' in event) return event.recipient === recipient
  return 'recipients' in event && event.recipients.includes(recipient)
}

const SAID: Readonly<Record<Result['outcome'], string>> = {
  released: 'released',
  queued: 'queued, not delivered yet',
  quarantined: 'in quarantine again',
  failed: 'not delivered',
  discarded: 'discarded',
}

function tell(act: Act, answer: QuarantineAnswer, results: readonly Result[], { json, dryRun }: ActOptions): void {
  const { changed, ended, unclear, unknown } = answer
  if (json) process.stdout.write(`${JSON.stringify({ ...answer, results, dryRun: dryRun === true })}\n`)
  else if (dryRun) {
    for (const { queueId, recipients } of changed) process.stdout.write(`${queueId}  ${recipients.join(' ')}\n`)
    process.stdout.write(`would be ${act === 'release' ? 'released' : 'discarded'}: ${changed.length}\n`)
  } else {
    for (const { queueId, recipient, outcome, detail } of results) {
      const why = detail === '' ? '' : `: ${harmlessLine(detail)}`
      process.stdout.write(`${queueId}  <${harmlessLine(recipient)}>  ${SAID[outcome]}${why}\n`)
    }
  }
  for (const { queueId, recipient, state } of ended) {
    process.stderr.write(`elemta: ${queueId} <${harmlessLine(recipient)}> is not in quarantine: ${state} already\n`)
  }
  for (const { queueId, recipients } of unclear) {
    const names = recipients.map(recipient => harmlessLine(recipient)).join(', ')
    process.stderr.write(`elemta: ${queueId} is for ${names}: say --to ADDRESS, or --all-recipients\n`)
  }
  for (const id of unknown) process.stderr.write(`elemta: ${harmlessLine(id)}: there is no such message or recipient\n`)
  const outcomes = new Set(results.map(({ outcome }) => outcome))
  if (outcomes.has('quarantined') || outcomes.has('failed')) process.exitCode = 1
  else if (outcomes.has('queued')) process.exitCode = EXIT.temporary
  else if (unclear.length > 0) process.exitCode = EXIT.usage
  else if (unknown.length > 0 || (changed.length === 0 && ended.length > 0)) process.exitCode = EXIT.noInput
}
