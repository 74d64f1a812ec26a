// What an operator does with mail in quarantine: list, look at, release and discard it. Each recipient has his own
// copy: who is not named, or is not the only one, is never included.
// A release is a scan job of its own for each recipient, signed: see src/mail/release.ts. It is done when the next hop
// has taken it, which the record tells by a `released` event.
import { randomBytes } from 'node:crypto'
import * as z from 'zod'
import { isQueueId, timePrefix } from '../mail/queue-id.ts'
import type { RecipientState } from '../mail/record.ts'
import { signRelease } from '../mail/release.ts'
import type { ListedRecipient } from '../storage/record-store.ts'
import { viewMessage } from './message-view.ts'
import { audit, OperationError, type OperationParts, type Operations, operation } from './operation.ts'
import { subjectOf } from './quarantine-subject.ts'
import { contentRemoval } from './queue-changes.ts'
import { filterShape, search, select, selectionInput } from './selection.ts'

const STATES: readonly RecipientState[] = ['quarantined']

export type ListedQuarantine = ListedRecipient & Readonly<{ subject?: string }>

/** What has come to an end, or is on its way, and so is not changed. */
type NotThere = Readonly<{ queueId: string; recipient: string; state: RecipientState }>

export type QuarantineAnswer = Readonly<{
  changed: readonly Readonly<{ queueId: string; recipients: readonly string[] }>[]
  /** Not in quarantine any more, and where they are. */
  ended: readonly NotThere[]
  /** For several recipients, and none was named: nothing was done. */
  unclear: readonly Readonly<{ queueId: string; recipients: readonly string[] }>[]
  /** Ids that no message has, or recipients that it does not have. */
  unknown: readonly string[]
  next?: string
}>

const { domain, sender, recipient, reason } = filterShape
const QUARANTINE_FILTER = { domain, sender, recipient, reason }

const actInput = selectionInput.extend({
  filter: z.strictObject(QUARANTINE_FILTER).partial().optional(),
  /** Only these, of all messages that are meant. */
  recipients: z.array(filterShape.recipient).min(1).max(1000).optional(),
  allRecipients: z.literal(true).optional(),
})
type ActInput = z.output<typeof actInput>

export function createQuarantineOperations(
  parts: OperationParts,
  { releaseKey }: { releaseKey: () => Buffer },
): Operations {
  const { backends, now, alone, metrics } = parts
  const { records, messages, scanJobs, together } = backends

  async function list({
    filter: { since, text, ...filter },
    after,
    limit,
  }: ListInput): Promise<Readonly<{ recipients: ListedQuarantine[]; next?: string }>> {
    // Queue ids sort by time.
    const from = after ?? (since === undefined ? undefined : `${timePrefix(Math.max(0, now() - since))} `)
    const { recipients, next } = await search(records, filter, { after: from, limit }, STATES, now())
    const subjects = new Map<string, string | undefined>()
    for (const { queueId } of recipients) {
      if (!subjects.has(queueId)) subjects.set(queueId, await subjectOf(messages, queueId))
    }
    const listed = recipients.map(recipient => {
      const subject = subjects.get(recipient.queueId)
      return { ...recipient, ...(subject !== undefined && { subject }) }
    })
    return {
      recipients: listed.filter(one => text === undefined || holds(one, text)),
      ...(next !== undefined && { next }),
    }
  }

  async function act(
    input: ActInput,
    one: (queueId: string, recipients: readonly string[]) => Promise<void>,
  ): Promise<QuarantineAnswer> {
    const { ids, filter, all, after, dryRun, recipients: named, allRecipients } = input
    const only = named && new Set(named.map(address => address.toLowerCase()))
    const selection = { ids, filter, all, after }
    // Before the act: what it changes is not told of as being gone.
    const { ended, unknown } = ids === undefined ? { ended: [], unknown: [] } : await others(ids, only)
    const found = await select(records, selection, STATES, now())
    const changed: { queueId: string; recipients: string[] }[] = []
    const unclear: { queueId: string; recipients: string[] }[] = []
    for (const message of found.messages) {
      const { queueId } = message
      const recipients = message.recipients
        .map(({ recipient }) => recipient)
        .filter(address => !only || only.has(address.toLowerCase()))
      if (recipients.length === 0) continue
      const clear = allRecipients || only || filter?.recipient !== undefined || filter?.domain !== undefined
      if (recipients.length > 1 && !clear) {
        unclear.push({ queueId, recipients })
        continue
      }
      if (!dryRun) await one(queueId, recipients)
      changed.push({ queueId, recipients })
    }
    return { changed, ended, unclear, unknown, ...(found.next !== undefined && { next: found.next }) }
  }

  /** What was named and is not in quarantine. */
  async function others(ids: readonly string[], only: ReadonlySet<string> | undefined) {
    const ended: NotThere[] = []
    const unknown: string[] = []
    for (const queueId of new Set(ids.map(id => id.toUpperCase()))) {
      const record = isQueueId(queueId) ? await records.get(queueId) : undefined
      if (record === undefined) unknown.push(queueId)
      const known = new Set(record?.recipients.map(({ recipient }) => recipient.toLowerCase()))
      if (record !== undefined)
        for (const address of only ?? []) if (!known.has(address)) unknown.push(`${queueId} ${address}`)
      for (const { recipient, state } of record?.recipients ?? []) {
        if (state !== 'quarantined' && (!only || only.has(recipient.toLowerCase())))
          ended.push({ queueId, recipient, state })
      }
    }
    return { ended, unknown }
  }

  async function release(queueId: string, recipients: readonly string[], who: string): Promise<void> {
    const at = now()
    const jobs = recipients.map(recipient => {
      const subject = { queueId, recipients: [recipient] }
      const id = `${queueId}/scan/1/${randomBytes(6).toString('hex')}`
      return { kind: 'scan', id, ...subject, attempt: 1, release: signRelease(releaseKey(), subject, who, at) } as const
    })
    const event = { at, event: 'operator', action: 'release', by: who, recipients } as const
    await together(...jobs.map(job => () => scanJobs.enqueue(job)), () =>
      records.note(
        queueId,
        [event],
        recipients.map(recipient => ({ recipient, state: 'queued' as const })),
      ),
    )
    audit(parts, { action: 'release', who, queueId, recipients })
  }

  async function discard(queueId: string, recipients: readonly string[], who: string): Promise<void> {
    const at = now()
    const events = [
      { at, event: 'operator', action: 'discard', by: who, recipients },
      { at, event: 'discarded', recipients, why: `by ${who}, from quarantine` },
    ] as const
    const changes = recipients.map(recipient => ({ recipient, state: 'discarded' as const }))
    const removal = await contentRemoval(parts, queueId, recipients)
    await together(() => records.note(queueId, events, changes), ...removal)
    metrics.quarantineDiscarded.inc(recipients.length)
    audit(parts, { action: 'discard', who, queueId, recipients })
  }

  const acting = (one: typeof release) =>
    operation(actInput, async (input, who): Promise<QuarantineAnswer> => {
      const run = () => act(input, (queueId, recipients) => one(queueId, recipients, who))
      return input.dryRun ? run() : alone(run)
    })

  return {
    'quarantine/list': operation(listInput, list),

    'quarantine/show': operation(z.strictObject({ id: z.string() }), async ({ id }, who) => {
      const queueId = id.toUpperCase()
      const record = isQueueId(queueId) ? await records.get(queueId) : undefined
      if (record === undefined) throw new OperationError(404, `no message has the queue id ${id}`)
      if (!record.recipients.some(({ state }) => state === 'quarantined')) {
        throw new OperationError(409, `${queueId} is not in quarantine: see elemta trace ${queueId}`)
      }
      // Whoever reads other people's mail is seen doing so.
      audit(parts, { action: 'show', who, queueId, recipients: [] })
      return { record, view: await viewMessage(await messages.open(queueId)) }
    }),

    'quarantine/release': acting(release),
    'quarantine/discard': acting(discard),
  }
}

const listInput = z.strictObject({
  filter: z
    .strictObject({
      ...QUARANTINE_FILTER,
      /** Accepted no longer ago than this, milliseconds. */
      since: z.number().min(0),
      /** A part of sender, recipient, subject or reason, compared without case. */
      text: z.string().min(1).max(1000),
    })
    .partial()
    .prefault({}),
  after: z.string().optional(),
  limit: z.int().min(1).max(500).prefault(100),
})
type ListInput = z.output<typeof listInput>

function holds({ sender, recipient, subject = '', why = '' }: ListedQuarantine, text: string): boolean {
  return `${sender}\n${recipient}\n${subject}\n${why}`.toLowerCase().includes(text.toLowerCase())
}
