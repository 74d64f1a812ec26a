// What the queue commands share: how a filter is written on the command line, and what becomes of an answer's pages.
import { type Command, Option } from 'commander'
import { EXIT, ExitError } from '../../src/platform/exit.ts'
import type { ChangeAnswer } from '../../src/spool/queue-operations.ts'
import { bareAddress, durationOf } from './arguments.ts'
import type { CallOperator } from './operator-client.ts'

export type FilterOptions = Readonly<{
  domain?: string
  sender?: string
  recipient?: string
  state?: string
  olderThan?: string
  route?: string
  reason?: string
}>

export type Selection = Readonly<{ ids?: readonly string[]; all?: true; filter?: object; dryRun?: true }>

/** The names of Postfix's queues are understood too. */
const STATES: Readonly<Record<string, readonly string[]>> = {
  queued: ['queued'],
  incoming: ['queued'],
  active: ['queued'],
  deferred: ['deferred'],
  held: ['held'],
  hold: ['held'],
}

export function addFilterOptions(command: Command): Command {
  return command
    .option('--domain <domain>', 'recipients at this domain')
    .option('--sender <address>', 'messages from this sender; <> is the null sender')
    .option('--recipient <address>', 'this recipient')
    .addOption(new Option('--state <state>', 'queued, deferred or held').choices(Object.keys(STATES)))
    .option('--older-than <duration>', 'accepted longer ago, such as 2h or 3d')
    .option('--route <text>', 'the last next hop has this in its name')
    .option('--reason <text>', 'the last reply has this in it')
}

/** Undefined when no option was given. */
export function filterOf(options: FilterOptions): Record<string, unknown> | undefined {
  const { domain, sender, recipient, state, olderThan, route, reason } = options
  const filter = {
    domain,
    sender: sender === undefined ? undefined : bareAddress(sender),
    recipient: recipient === undefined ? undefined : bareAddress(recipient),
    states: state === undefined ? undefined : statesOf(state),
    olderThan: olderThan === undefined ? undefined : durationOf(olderThan),
    route,
    reason,
  }
  return Object.values(filter).some(value => value !== undefined) ? filter : undefined
}

/** Throws ExitError for what is not the name of a queue. */
export function statesOf(name: string): readonly string[] {
  const states = STATES[name]
  if (states === undefined) throw new ExitError(EXIT.usage, `${name} is no state of the queue`)
  return states
}

/** Ids, a filter, or both; ALL only with --yes or as a dry run. Throws ExitError when nothing is named. */
export function selectionOf(
  ids: readonly string[],
  options: FilterOptions & Readonly<{ yes?: true; dryRun?: true }>,
): Selection {
  const { yes, dryRun } = options
  const filter = filterOf(options)
  const common = { ...(filter && { filter }), ...(dryRun && { dryRun }) }
  if (ids.includes('ALL')) {
    if (ids.length > 1) throw new ExitError(EXIT.usage, 'ALL stands alone')
    if (!yes && !dryRun) {
      throw new ExitError(EXIT.usage, 'ALL is everything: say --yes, or look with --dry-run first')
    }
    return { ...common, all: true }
  }
  if (ids.length === 0 && filter === undefined) throw new ExitError(EXIT.usage, 'name queue ids or a filter, or ALL')
  return { ...common, ...(ids.length > 0 && { ids }) }
}

/** Queue ids in one request. */
const IDS = 200

/** Runs an act until nothing is left of the selection. */
export async function runAct(
  call: CallOperator,
  name: string,
  { ids, ...selection }: Selection & Readonly<{ to?: string; priority?: string }>,
): Promise<ChangeAnswer> {
  const answers: ChangeAnswer[] = []
  const pieces = ids === undefined ? [undefined] : chunks(ids)
  for (const piece of pieces) {
    let after: string | undefined
    do {
      const input = { ...selection, ...(piece && { ids: piece }), ...(after !== undefined && { after }) }
      const answer: ChangeAnswer = await call(name, input)
      answers.push(answer)
      after = answer.next
    } while (after !== undefined)
  }
  const sum = (of: (answer: ChangeAnswer) => number) => answers.reduce((total, answer) => total + of(answer), 0)
  return {
    messages: sum(({ messages }) => messages),
    recipients: sum(({ recipients }) => recipients),
    changed: answers.flatMap(({ changed }) => changed),
    busy: answers.flatMap(({ busy }) => busy),
    unfit: answers.flatMap(({ unfit }) => unfit),
    unknown: answers.flatMap(({ unknown }) => unknown),
  }
}

function chunks(ids: readonly string[]): string[][] {
  return Array.from({ length: Math.ceil(ids.length / IDS) }, (_, n) => ids.slice(n * IDS, (n + 1) * IDS))
}

const PAST: Readonly<Record<string, string>> = {
  hold: 'held',
  release: 'released',
  retry: 'due now',
  flush: 'due now',
  delete: 'deleted',
  reroute: 'rerouted',
  priority: 'given this priority',
}

/** Why an act does not fit a message. */
const UNFIT: Readonly<Record<string, string>> = {
  reroute: 'it is not scanned yet',
  priority: 'a verdict holds it',
}

/** Tells what was done, and sets the exit code: 75 when something is in work, 66 when something is not there. */
export function tellAct(act: string, answer: ChangeAnswer, { json, dryRun }: { json?: true; dryRun?: true }): void {
  const { messages, recipients, changed, busy, unfit, unknown } = answer
  if (json) process.stdout.write(`${JSON.stringify({ ...answer, dryRun: dryRun === true })}\n`)
  else {
    if (dryRun)
      for (const { queueId, recipients } of changed) process.stdout.write(`${queueId}  ${recipients.join(' ')}\n`)
    const count = `${messages} ${messages === 1 ? 'message' : 'messages'}, ${recipients} ${recipients === 1 ? 'recipient' : 'recipients'}`
    process.stdout.write(`${dryRun ? `would be ${PAST[act]}` : PAST[act]}: ${count}\n`)
  }
  for (const id of busy) process.stderr.write(`elemta: ${id} is being delivered, try again\n`)
  for (const id of unfit) process.stderr.write(`elemta: ${id} cannot be ${PAST[act]}: ${UNFIT[act]}\n`)
  for (const id of unknown)
    process.stderr.write(`elemta: ${id}: no such message in the queue, or not to be ${PAST[act]}\n`)
  if (busy.length > 0) process.exitCode = EXIT.temporary
  else if (unknown.length + unfit.length > 0) process.exitCode = EXIT.noInput
}
