// The message record: everything we know about one accepted message but its content.
// Its events, in order, are the answer to "where is my mail?".
import type { Client, Envelope } from './envelope.ts'
import type { Priority } from './priority.ts'
import type { Decision, Finding, HeaderField } from './verdict.ts'

/** Where one recipient's copy stands. The last five are ends; the ledger proves that nothing is anywhere else. */
export type RecipientState =
  | 'queued' // a job for it exists
  | 'deferred' // waits for its next attempt
  | 'held' // set aside, no attempts until an operator releases it
  | 'quarantined'
  | 'delivered'
  | 'failed'
  | 'discarded'
  | 'deleted'

export const RECIPIENT_STATES: readonly RecipientState[] = [
  'queued',
  'deferred',
  'held',
  'quarantined',
  'delivered',
  'failed',
  'discarded',
  'deleted',
]

/** Nothing more will happen and the content is not needed any more. */
export function isFinal(state: RecipientState): boolean {
  return state === 'delivered' || state === 'failed' || state === 'discarded' || state === 'deleted'
}

/** What ingress knows when it accepts. */
export type AcceptedMessage = Readonly<{
  queueId: string
  /** Milliseconds since 1970. */
  acceptedAt: number
  client: Client
  envelope: Envelope
  /** Octets of content as stored. */
  size: number
  /** Message-ID of the header with its angle brackets; absent where there is none. */
  messageId?: string
  /** What its jobs begin with; absent: normal. */
  priority?: Priority
  /** Header fields that session policies want in front of it. */
  tags?: readonly HeaderField[]
}>

/** What a report tells of its recipients (RFC 3464 §2.3.3); `relayed`: passed on to where no report can be asked for. */
export type DsnAction = 'failed' | 'delayed' | 'delivered' | 'relayed'

/** What protected the way to a next hop. */
export type Protection = Readonly<{
  /** `TLSv1.3 TLS_AES_256_GCM_SHA384`; absent in clear text, in a file and where no session came about. */
  tls?: string
  /** The certificate is one for this host, by an authority that we trust. */
  tlsVerified?: boolean
  /** Why there was no TLS although it was wanted. */
  tlsFailure?: string
}>

/** A step of a message's story. `at` is in milliseconds since 1970. */
export type TraceEvent = Readonly<{ at: number }> &
  (
    | Readonly<{ event: 'accepted'; reply: string }>
    | Readonly<{ event: 'scanned'; findings: readonly Finding[]; seconds: number }>
    | Readonly<{ event: 'verdict'; decision: Decision; why: string }>
    | Readonly<{ event: 'quarantined'; recipients: readonly string[]; why: string }>
    | Readonly<{ event: 'held'; recipients: readonly string[]; why: string }>
    | Readonly<{ event: 'discarded'; recipients: readonly string[]; why: string }>
    | (Readonly<{ event: 'delivered'; recipient: string; nextHop: string; reply: string; seconds: number }> &
        Protection)
    | (Readonly<{ event: 'failed'; recipient: string; nextHop: string; reply: string; seconds: number }> & Protection)
    | (Readonly<{
        event: 'deferred'
        stage: 'scan' | 'delivery'
        recipients: readonly string[]
        why: string
        nextHop?: string
        attempt: number
        dueAt: number
      }> &
        Protection)
    /** An attempt ended after the final dot with nothing written down: the next hop may have the message already. */
    | Readonly<{ event: 'in-doubt'; recipients: readonly string[]; nextHop: string; attempt: number; sentAt: number }>
    /** A report to the sender was queued as a message of its own. */
    | Readonly<{
        event: 'reported'
        action: DsnAction
        recipients: readonly string[]
        queueId: string
      }>
    /** A release from quarantine has reached the next hop. */
    | Readonly<{ event: 'released'; recipients: readonly string[]; by: string }>
    /** What a person did: held, released, retried, deleted, rerouted, redriven. */
    | Readonly<{ event: 'operator'; action: string; by: string; recipients: readonly string[]; why?: string }>
    | Readonly<{ event: 'dead-letter'; stage: 'scan' | 'delivery'; recipients: readonly string[]; why: string }>
  )

export type RecipientStatus = Readonly<{ recipient: string; state: RecipientState }>

export type MessageRecord = Readonly<{
  message: AcceptedMessage
  recipients: readonly RecipientStatus[]
  events: readonly TraceEvent[]
}>
