// Keys of the items in the records table. All that belongs to a message is under one partition key, so that one query
// tells its story: `M` the message, folded or not, `R#` its recipients, `E#` events, `D#` deferrals, `J#` jobs.
// Every index key that many items could share at once ends in a shard, so that no partition gets all the writes; whoever
// reads asks all shards. Shards go by queue id: what is told of one message is in one place.
import { crc32 } from 'node:zlib'
import { domainOf } from '../mail/envelope.ts'
import type { Job } from '../mail/job.ts'
import { isFinal, type RecipientState } from '../mail/record.ts'
import { type IndexSchema, RECORDS_TABLE } from './aws-schema.ts'
import type { Key } from './table-dynamodb.ts'

type IndexName = (typeof RECORDS_TABLE.indexes)[number]['name']

export function indexOf(name: IndexName): IndexSchema {
  return RECORDS_TABLE.indexes.find(index => index.name === name)!
}
/** How many shards a key of an index has: a partition takes a thousand writes in a second. */
const SHARDS: Readonly<Record<IndexName, number>> = {
  work: 8,
  domain: 4,
  sender: 4,
  age: 8,
}

/** The keys under which all of one kind are found. */
export function shardsOf(name: IndexName, key: string): string[] {
  return Array.from({ length: SHARDS[name] }, (_, shard) => `${key}#${shard}`)
}

function inShard(name: IndexName, key: string, id: string): string {
  return `${key}#${crc32(id) % SHARDS[name]}`
}

export const partitionOf = (queueId: string) => `Q#${queueId}`
export const queueIdOf = ({ pk }: Key) => pk.slice('Q#'.length)
export const messageKey = (queueId: string): Key => ({ pk: partitionOf(queueId), sk: 'M' })
export const recipientKey = (queueId: string, recipient: string): Key => ({
  pk: partitionOf(queueId),
  sk: `R#${recipient}`,
})
export const recipientOf = ({ sk }: Key) => sk.slice('R#'.length)
export const eventKey = (queueId: string, at: string): Key => ({ pk: partitionOf(queueId), sk: `E#${at}` })
export const eventAtOf = ({ sk }: Key) => sk.slice('E#'.length)
/** Ids of jobs begin with the queue id. */
export const queueIdOfJob = (id: string) => id.split('/', 1)[0]!
const jobPartition = (id: string) => partitionOf(queueIdOfJob(id))
export const deferralKey = (jobId: string): Key => ({ pk: jobPartition(jobId), sk: `D#${jobId}` })
export const jobKey = (kind: Job['kind'], id: string): Key => ({ pk: jobPartition(id), sk: `J#${kind}#${id}` })

/** Sorts as the number does. */
export const sortable = (number: number) => String(number).padStart(16, '0')

/** The place of a recipient in lists: the oldest message first. */
export const placeOf = (queueId: string, recipient: string) => `${queueId} ${recipient}`
export const atPlace = (place: string): Key => {
  const at = place.indexOf(' ')
  return recipientKey(place.slice(0, at), place.slice(at + 1))
}

export const senderKeyOf = (queueId: string, sender: string) => inShard('sender', sender.toLowerCase(), queueId)

/** Where a recipient of this state is listed; the empty attributes are none. */
export function recipientListing(queueId: string, recipient: string, state: RecipientState) {
  const place = placeOf(queueId, recipient)
  const open = !isFinal(state)
  const waits = open && state !== 'queued'
  return {
    workKey: open ? inShard('work', state, queueId) : '',
    workAt: open ? place : '',
    domainKey: waits ? inShard('domain', domainOf(recipient), queueId) : '',
    domainAt: waits ? place : '',
    senderAt: waits ? place : '',
  }
}

export const messageAge = (queueId: string) => ({ ageKey: inShard('age', 'message', queueId), ageAt: queueId })
export const deferralAge = (jobId: string, acceptedAt: number) => ({
  ageKey: inShard('age', 'deferral', jobId),
  ageAt: `${sortable(acceptedAt)}#${jobId}`,
})
export const dueListing = ({ id, kind }: Job, dueAt: number) => ({
  workKey: inShard('work', `due-${kind}`, id),
  workAt: `${sortable(dueAt)}#${id}`,
})
/** `open` jobs by the time since when they should be worked on, dead ones by when they were enqueued. */
export const jobListing = ({ id, kind }: Pick<Job, 'id' | 'kind'>, which: 'open' | 'dead', at: number) => ({
  workKey: inShard('work', `${which}-${kind}`, id),
  workAt: `${sortable(at)}#${id}`,
})
