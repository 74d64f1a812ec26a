// The queue as text: a line for each recipient, the listing of sendmail's mailq, and the objects of Postfix's
// `postqueue -j`.
import { type Deferral, HELD } from '../../src/mail/job.ts'
import type { ListedRecipient } from '../../src/storage/record-store.ts'

/** `<>` is the null sender. */
const path = (address: string) => `<${address}>`

export function recipientLine(recipient: ListedRecipient, now: number): string {
  const { queueId, state, sender, acceptedAt, dueAt, why, nextHop } = recipient
  const next =
    dueAt === undefined || dueAt === HELD ? '' : `, next attempt ${dueAt <= now ? 'now' : `in ${span(dueAt - now)}`}`
  const reason = why === undefined ? '' : `  (${nextHop === undefined ? '' : `${nextHop}: `}${oneLine(why)})`
  const age = span(now - acceptedAt)
  return `${queueId}  ${state.padEnd(8)}  ${age.padStart(4)}  ${path(sender)} ${path(recipient.recipient)}${next}${reason}\n`
}

export function deferralLine({ job, dueAt }: Deferral): string {
  const when =
    dueAt === HELD ? 'held until it is released' : `next attempt (${job.kind}) ${new Date(dueAt).toISOString()}`
  const where = 'to' in job ? ` at ${job.to}` : ''
  const priority = job.priority === undefined || job.priority === 'normal' ? '' : `, priority ${job.priority}`
  return `  then       ${when}${where}${priority}: ${job.recipients.join(', ')}\n`
}

/** `45s`, `12m`, `3h`, `2d`. */
export function span(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000))
  if (seconds < 100) return `${seconds}s`
  if (seconds < 100 * 60) return `${Math.round(seconds / 60)}m`
  if (seconds < 100 * 3600) return `${Math.round(seconds / 3600)}h`
  return `${Math.round(seconds / 86_400)}d`
}

/** Columns as Postfix has them with long queue ids. */
function columns(id: string, size: string, arrival: string, address: string): string {
  return `${id.padEnd(21)} ${size.padStart(8)} ${arrival.padEnd(19)} ${address}`
}

export const MAILQ_HEAD = `${columns('-Queue ID-', '--Size--', '----Arrival Time---', '-Sender/Recipient------')}
`

/** `!` held, `*` with a worker or about to be, as Postfix's showq marks its hold and active queues. */
export function mailqEntry(message: readonly ListedRecipient[]): string {
  const [first] = message
  if (first === undefined) return ''
  const { queueId, size, acceptedAt, sender } = first
  const mark = queueOf(message) === 'hold' ? '!' : queueOf(message) === 'active' ? '*' : ''
  const from = sender === '' ? 'MAILER-DAEMON' : sender
  const head = columns(queueId + mark, String(size), arrival(acceptedAt), from)
  const reasons = Map.groupBy(message, reasonOf)
  const lines = [...reasons].flatMap(([why, recipients]) => [
    ...(why === '' ? [] : [reasonLine(why)]),
    ...recipients.map(({ recipient }) => columns('', '', '', recipient)),
  ])
  return `${[head, ...lines].join('\n')}\n\n`
}

/** Postfix writes it right-aligned, or from the first column where it is long. */
function reasonLine(why: string): string {
  return `(${why})`.padStart(76)
}

/** The last line; `octets` of all messages together. */
export function mailqSummary(messages: number, octets: number): string {
  if (messages === 0) return 'Mail queue is empty\n'
  const kilobytes = Math.ceil(octets / 1024)
  return `-- ${kilobytes} Kbytes in ${messages} Request${messages === 1 ? '' : 's'}.\n`
}

/** One line of `postqueue -j`; times in seconds since 1970, as there. */
export function postqueueObject(message: readonly ListedRecipient[]): string {
  const { queueId, acceptedAt, size, sender } = message[0]!
  const recipients = message.map(recipient => {
    const reason = reasonOf(recipient)
    return { address: recipient.recipient, ...(reason !== '' && { delay_reason: reason }) }
  })
  return `${JSON.stringify({
    queue_name: queueOf(message),
    queue_id: queueId,
    arrival_time: Math.floor(acceptedAt / 1000),
    message_size: size,
    forced_expire: false,
    sender,
    recipients,
  })}\n`
}

/** Postfix's queues hold whole messages; ours is in the one where most can be done about it. */
function queueOf(message: readonly ListedRecipient[]): 'active' | 'hold' | 'deferred' {
  if (message.some(({ state }) => state === 'queued')) return 'active'
  return message.every(({ state }) => state === 'held') ? 'hold' : 'deferred'
}

function reasonOf({ why, nextHop, state }: ListedRecipient): string {
  if (why === undefined || state === 'queued') return ''
  return nextHop === undefined ? oneLine(why) : `${nextHop} said: ${oneLine(why)}`
}

/** `Tue Nov 14 22:13:20`, local time, as ctime(3) writes it. */
function arrival(at: number): string {
  const [day, month, date, , time] = new Date(at).toString().split(' ')
  return `${day} ${month} ${String(Number(date)).padStart(2)} ${time}`
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ')
}
