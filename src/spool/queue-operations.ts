// What an operator does with queued mail: look at it, hold and release it, try it now, send it elsewhere, let it
// go before or after others, delete it.
// An act answers for one page of what was selected; `next` goes on with the rest. A dry run only says what is meant.
import * as z from 'zod'
import { PRIORITIES } from '../mail/priority.ts'
import { isQueueId } from '../mail/queue-id.ts'
import { nextHop } from '../platform/config-fields.ts'
import { OperationError, type OperationParts, type Operations, operation } from './operation.ts'
import { CHANGEABLE, type Change, type Changed, changeMessage } from './queue-changes.ts'
import { filterInput, QUEUE_STATES, type Selection, search, select, selectionInput } from './selection.ts'

export type ChangeAnswer = Readonly<{
  messages: number
  recipients: number
  changed: readonly Readonly<{ queueId: string; recipients: readonly string[] }>[]
  /** In work at the moment: to be tried again. */
  busy: readonly string[]
  /** The act does not fit these messages as they are. */
  unfit: readonly string[]
  /** Ids without a message that is in the queue and fits. */
  unknown: readonly string[]
  next?: string
}>

/** Upper edges of the ages in `queue/shape`, in minutes, as in Postfix's qshape. */
export const SHAPE_MINUTES = [5, 10, 20, 40, 80, 160, 320, 640, 1280]

/** `mx:` and maildirs are for routes; an override names a server. */
const server = () => nextHop().refine(to => /^(smtps?|lmtp):/i.test(to), 'expected smtp://, smtps:// or lmtp://')

export function createQueueOperations(parts: OperationParts): Operations {
  const { backends, now, alone } = parts
  const { records } = backends

  async function act(change: Change, selection: Selection, who: string): Promise<ChangeAnswer> {
    const states = CHANGEABLE[change.action]
    const onePage = async () => {
      const { messages, unknown, next } = await select(records, selection, states, now())
      const { filter, all } = selection
      const meant = filter ?? (all ? 'ALL' : undefined)
      const changes = selection.dryRun
        ? messages.map(wouldChange)
        : await Promise.all(messages.map(message => changeMessage(parts, message, change, who, meant)))
      return { ...summary(changes), unknown, ...(next !== undefined && { next }) }
    }
    if (selection.dryRun) return onePage()
    // Who says "now" means it, whatever was wrong with the way there.
    if (change.action === 'retry' || change.action === 'release') parts.resume?.()
    return alone(onePage)
  }

  const acts = (action: Exclude<Change['action'], 'reroute' | 'priority'>) =>
    operation(selectionInput, (selection, who) => act({ action }, selection, who))

  return {
    'queue/list': operation(
      z.strictObject({
        filter: filterInput.prefault({}),
        after: z.string().optional(),
        limit: z.int().min(1).max(1000).prefault(500),
      }),
      ({ filter, ...place }) => search(records, filter, place, QUEUE_STATES, now()),
    ),

    'queue/show': operation(z.strictObject({ id: z.string() }), async ({ id }) => {
      const queueId = id.toUpperCase()
      const record = isQueueId(queueId) ? await records.get(queueId) : undefined
      if (record === undefined) throw new OperationError(404, `no message has the queue id ${id}`)
      return { record, deferrals: await records.deferralsOf(queueId) }
    }),

    'queue/shape': operation(
      z.strictObject({ domains: z.int().min(1).max(1000).prefault(30) }),
      async ({ domains }) => {
        const at = now()
        const edges = SHAPE_MINUTES.map(minutes => at - minutes * 60_000)
        return { minutes: SHAPE_MINUTES, domains: await records.shape(QUEUE_STATES, edges, domains) }
      },
    ),

    'queue/hold': acts('hold'),
    'queue/release': acts('release'),
    'queue/retry': acts('retry'),
    'queue/delete': acts('delete'),
    'queue/reroute': operation(selectionInput.extend({ to: server() }), ({ to, ...selection }, who) =>
      act({ action: 'reroute', to }, selection, who),
    ),
    'queue/priority': operation(
      selectionInput.extend({ priority: z.enum(PRIORITIES) }),
      ({ priority, ...selection }, who) => act({ action: 'priority', priority }, selection, who),
    ),
  }
}

function wouldChange({ queueId, recipients }: { queueId: string; recipients: readonly { recipient: string }[] }) {
  return { queueId, recipients: recipients.map(({ recipient }) => recipient), busy: [], unfit: [] }
}

function summary(changes: readonly Changed[]): Omit<ChangeAnswer, 'unknown' | 'next'> {
  const changed = changes.filter(({ recipients }) => recipients.length > 0)
  return {
    messages: changed.length,
    recipients: changed.reduce((sum, { recipients }) => sum + recipients.length, 0),
    changed: changed.map(({ queueId, recipients }) => ({ queueId, recipients })),
    busy: changes.filter(({ busy }) => busy.length > 0).map(({ queueId }) => queueId),
    unfit: changes.filter(({ unfit }) => unfit.length > 0).map(({ queueId }) => queueId),
  }
}
