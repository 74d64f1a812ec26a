// How urgent a message is: decided once, when it is accepted, and carried by its jobs. The queues hand out what is
// urgent first, and never let the rest starve. A hint, not a right: strangers can make their mail look small.
import type { AcceptedMessage } from './record.ts'

/** Highest first. */
export const PRIORITIES = ['high', 'normal', 'low'] as const
export type Priority = (typeof PRIORITIES)[number]

/** What is `high`: sizes in octets. */
export type PrioritySettings = Readonly<{
  /** False: everything is normal. */
  enabled: boolean
  size: number
  recipients: number
  /** Only what authenticated users submit is high. */
  authenticated_only: boolean
}>

type Facts = Pick<AcceptedMessage, 'size' | 'envelope' | 'client'> & Readonly<{ bulk: boolean }>

/**
 * Somebody waits for small mail to few: a person, a password that is to be reset. Nobody waits for a newsletter. What
 * comes from the null sender tells of other mail, and is never urgent.
 */
export function priorityOf({ size, envelope, client, bulk }: Facts, settings: PrioritySettings): Priority {
  const { reversePath, recipients } = envelope
  if (!settings.enabled) return 'normal'
  if (bulk) return 'low'
  const small = size <= settings.size && recipients.length <= settings.recipients
  const trusted = client.user !== undefined || !settings.authenticated_only
  return small && trusted && reversePath !== '' ? 'high' : 'normal'
}
