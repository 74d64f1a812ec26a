// The end of what nobody wanted: mail that is in quarantine for longer than `keep` is discarded, with an event that
// says so. Done in batches by a timer, between other changes, so that whoever is releasing a message is first. The
// timer also keeps the gauges of the quarantine, and lets go of what has come to its end.
import type { AcceptedMessage, MessageRecord } from '../mail/record.ts'
import { formatDuration } from '../platform/config-units.ts'
import type { OperationParts } from './operation.ts'
import { contentRemoval } from './queue-changes.ts'
import { forgetFinished } from './retention.ts'

type Options = OperationParts &
  Readonly<{
    /** Milliseconds; 0: for ever. */
    keep: number
    /** Ends a pass early. */
    signal?: AbortSignal
  }>

const BATCH = 200

/** One pass. Returns the recipients that were discarded. */
export async function expireQuarantine({ keep, signal, ...parts }: Options): Promise<number> {
  if (keep === 0) return 0
  const { backends, now, alone } = parts
  const filter = { states: ['quarantined'], before: now() - keep } as const
  let expired = 0
  for (let after: string | undefined; ; ) {
    const page = await backends.records.listRecipients(filter, { limit: BATCH, ...(after !== undefined && { after }) })
    for (const queueId of new Set(page.recipients.map(({ queueId }) => queueId))) {
      if (signal?.aborted) return expired
      expired += await alone(() => expireMessage(parts, queueId, keep))
    }
    after = page.next
    if (after === undefined) return expired
  }
}

async function expireMessage(parts: OperationParts, queueId: string, keep: number): Promise<number> {
  const { backends, now, log, metrics } = parts
  const { records, together } = backends
  const record = await records.get(queueId)
  const recipients = record === undefined ? [] : overdue(record, now() - keep)
  if (recipients.length === 0) return 0
  const why = `nobody released it within ${formatDuration(keep)}`
  const changes = recipients.map(recipient => ({ recipient, state: 'discarded' as const }))
  const removal = await contentRemoval(parts, queueId, recipients)
  await together(() => records.note(queueId, [{ at: now(), event: 'discarded', recipients, why }], changes), ...removal)
  metrics.quarantineExpired.inc(recipients.length)
  log.info({ queueId, recipients: recipients.length, why }, 'quarantine-expired')
  return recipients.length
}

/** Those in quarantine since before `since`: a message may come into it long after it was accepted. */
function overdue({ message, recipients, events }: MessageRecord, since: number): string[] {
  return recipients
    .filter(({ state }) => state === 'quarantined')
    .map(({ recipient }) => recipient)
    .filter(recipient => quarantinedAt(message, events, recipient) <= since)
}

function quarantinedAt({ acceptedAt }: AcceptedMessage, events: MessageRecord['events'], recipient: string): number {
  const last = events.findLast(event => event.event === 'quarantined' && event.recipients.includes(recipient))
  return last?.at ?? acceptedAt
}

/** Sizes and ages, in recipients and seconds since acceptance. */
export async function refreshQuarantineGauges({ backends, metrics, now }: OperationParts): Promise<void> {
  const { records } = backends
  const [{ states }, { recipients }] = await Promise.all([
    records.tally(),
    records.listRecipients({ states: ['quarantined'] }, { limit: 1 }),
  ])
  const oldest = recipients[0]?.acceptedAt
  metrics.quarantineSize.set(states.quarantined)
  metrics.quarantineOldestAge.set(oldest === undefined ? 0 : Math.max(0, (now() - oldest) / 1000))
}

/** How long what is kept, in milliseconds; 0: for ever. */
export type Keep = Readonly<{ quarantine: number; records: number }>

/** Every `interval` milliseconds until stopped, and once at the start; `keep` is asked each time. */
export function startUpkeep(
  { keep, ...parts }: OperationParts & Readonly<{ keep: () => Keep }>,
  interval = 60_000,
): Readonly<{ stop(): Promise<void> }> {
  const stopping = new AbortController()
  const { signal } = stopping
  let pass: Promise<unknown> = Promise.resolve()
  let reached: string | undefined
  const run = () => {
    pass = pass
      .then(() => expireQuarantine({ ...parts, keep: keep().quarantine, signal }))
      .then(() => refreshQuarantineGauges(parts))
      .catch(error => parts.log.error({ why: String(error) }, 'quarantine-upkeep-failed'))
      .then(async () => {
        reached = await forgetFinished({ ...parts, keep: keep().records, signal }, reached)
      })
      .catch(error => parts.log.error({ why: String(error) }, 'retention-failed'))
  }
  run()
  const timer = setInterval(run, interval)
  return {
    async stop() {
      clearInterval(timer)
      stopping.abort()
      await pass
    },
  }
}
