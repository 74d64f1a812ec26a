// Port: message records with their events, claims on recipients, and deferrals.
// Adapters: record-store-sqlite. Every adapter passes test/contract/record-store.ts.
import type { Deferral, Job } from '../mail/job.ts'
import type { AcceptedMessage, MessageRecord, RecipientState, RecipientStatus, TraceEvent } from '../mail/record.ts'

export type RecordQuery = Readonly<{ messageId: string } | { address: string }> & Readonly<{ limit: number }>

export type RecipientFilter = Readonly<{
  states: readonly RecipientState[]
  queueId?: string
  /** Of the recipient's address, in lower case. */
  domain?: string
  recipient?: string
  sender?: string
  /** Accepted before this, milliseconds since 1970. */
  before?: number
}>

export type ListedRecipient = Readonly<{
  queueId: string
  recipient: string
  state: RecipientState
  sender: string
  acceptedAt: number
  /** Octets. */
  size: number
  /** Of the deferral: when and how often, absent where it is none. */
  dueAt?: number
  attempt?: number
  /** The last that was said about it: the next hop's reply, the finding. */
  why?: string
  nextHop?: string
}>

/** `next`: the cursor for the page after this one, absent at the end. */
export type RecipientPage = Readonly<{ recipients: readonly ListedRecipient[]; next?: string }>

/** Recipients of one domain that are not at their end, by the age of their messages. */
export type DomainShape = Readonly<{
  domain: string
  /** One number more than there are edges: younger than the first edge, than the second …, and the rest. */
  counts: readonly number[]
}>

/** For the ledger, in recipients. `accepted` is what was counted when accepting, not the sum of the states. */
export type RecordTally = Readonly<{ accepted: number; states: Readonly<Record<RecipientState, number>> }>

export type DeferralTally = Readonly<{ deferrals: number; recipients: number; oldestAcceptedAt?: number }>

/** The right to try a recipient: whose it is (a lease's token) and until when, milliseconds since 1970. */
export type Claim = Readonly<{ claimant: string; until: number }>

/** Of a recipient whose next hop has the final dot, or is just getting it, and who has no outcome yet. */
export type Sending = Readonly<{
  /** Whose claim it was. */
  claimant: string
  attempt: number
  /** Milliseconds since 1970. */
  at: number
  nextHop: string
}>

/** `sending`: the mark that an attempt without an outcome has left. Nobody knows whether the next hop has the message. */
export type ClaimedRecipient = Readonly<{ recipient: string; sending?: Sending }>

/** Somebody else may try the recipient now, or nobody any more. */
export class ClaimLostError extends Error {
  override readonly name = 'ClaimLostError'
  constructor(queueId: string) {
    super(`the claim on a recipient of ${queueId} was lost`)
  }
}

export interface RecordStore {
  /** A new record, every recipient `queued`. Durable when it resolves; rejects when the queue id exists. */
  create(message: AcceptedMessage, event: TraceEvent): Promise<void>
  /**
   * Appends events and moves recipients, as one. Durable when it resolves; rejects an event when there is no such
   * record. A final state is never left again. A move ends the claim on its recipient and takes away its mark: the
   * attempt is over.
   */
  note(queueId: string, events: readonly TraceEvent[], changes: readonly RecipientStatus[]): Promise<void>
  get(queueId: string): Promise<MessageRecord | undefined>
  /** Newest first. An address is looked for among senders and recipients, compared without case. */
  find(query: RecordQuery): Promise<MessageRecord[]>
  /**
   * Claims recipients for one attempt and returns those that were got: not in a final state, and not claimed
   * by somebody else whose time is not over at `now`. Keeps two workers from delivering the same copy.
   */
  claim(queueId: string, recipients: readonly string[], claim: Claim, now: number): Promise<ClaimedRecipient[]>
  /**
   * Marks recipients: from now on their next hop may have the message. When it resolves, the mark outlives this
   * process (a power cut may undo it), and the claims are still the claimant's; else it rejects with ClaimLostError.
   */
  sending(queueId: string, recipients: readonly string[], mark: Sending): Promise<void>
  /** Takes away this claimant's marks: the next hop does not have the message, or the doubt was written down. */
  unmark(queueId: string, recipients: readonly string[], claimant: string): Promise<void>
  /** Keeps a job until it is due. Durable when it resolves. The same job id again replaces the deferral. */
  defer(deferral: Deferral): Promise<void>
  /** Deferrals due at `now` (of one kind of job), oldest first, at most `max`; never those that are held. They stay until `undefer`. */
  due(now: number, max: number, kind?: Job['kind']): Promise<Deferral[]>
  undefer(jobId: string): Promise<void>
  /** Deferrals of one message, those that are held among them. */
  deferralsOf(queueId: string): Promise<Deferral[]>
  /**
   * Recipients in one of `states` that fit, oldest message first, after the cursor of an earlier answer; a page at a time.
   * Quick also among a million for a domain, a sender or a state.
   */
  listRecipients(filter: RecipientFilter, page: Readonly<{ after?: string; limit: number }>): Promise<RecipientPage>
  /** Recipients in one of `states` by domain and age, those with most recipients first; edges: accepted after this time. */
  shape(states: readonly RecipientState[], edges: readonly number[], most: number): Promise<DomainShape[]>
  /**
   * Removes records, with their events, of messages that came to their end before `before` (milliseconds since 1970) and
   * have neither job nor content. What they counted stays in the tally. Looks at `limit` records, oldest first, after the
   * cursor of an earlier answer, or at one record alone; `next` is absent at the end.
   */
  forget(
    before: number,
    which: Readonly<{ after?: string; limit: number }> | Readonly<{ queueId: string }>,
  ): Promise<Readonly<{ forgotten: number; next?: string }>>
  tally(): Promise<RecordTally>
  /** Without those that are held: their recipients are counted by state. */
  tallyDeferrals(): Promise<DeferralTally>
}
