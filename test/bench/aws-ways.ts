// The clients that are compared on their way to AWS, what each is told, and what it tells. A file of its own, because
// aws-client.ts is a program: importing it runs it.
import type { Counts, Told } from './aws-emulators.ts'

/** naive: PutObject and SendMessage of the SDK as it comes. With a record: and one item for each message. */
export const WAYS = ['naive', 'Elemta', 'naive, with a record', 'Elemta, with a record'] as const
export type Way = (typeof WAYS)[number]
export type Task = Readonly<{
  way: Way
  place: Told['place']
  control: string
  sessions: number
  messages: number
  /** Octets of a message. */
  size: number
}>
/** Processor microseconds per message; messages per second. */
export type Outcome = Readonly<{ cpu: number; rate: number; counts: Counts }>
