// What the AWS home is made of, as plain data: keys and indexes of the two tables, attributes of the queues, prefixes of
// the bucket. The CDK, the emulators of the tests and LocalStack make their resources from this and from nothing else.
// Names of resources are not here: each deployment has its own. Keys are strings. How items use them: record-keys-dynamodb.
// An index that several kinds of items share is sparse: an item is in it only while it has both of its attributes.

/** Beside keys an index holds what `include` names, and nothing else: other changes to an item cost it nothing. */
export type IndexSchema = Readonly<{ name: string; partition: string; sort: string; include?: readonly string[] }>

export type TableSchema = Readonly<{
  partition: string
  sort: string
  indexes: readonly IndexSchema[]
  /** Attribute with the time, in seconds since 1970, after which DynamoDB may remove the item. */
  timeToLive: string
}>

export const RECORDS_TABLE = {
  partition: 'pk',
  sort: 'sk',
  indexes: [
    /** Recipients that are not at their end, by state; deferrals by due time; jobs by when they came, and dead letters. */
    { name: 'work', partition: 'workKey', sort: 'workAt' },
    /** Recipients that wait, by domain and by sender. */
    { name: 'domain', partition: 'domainKey', sort: 'domainAt' },
    { name: 'sender', partition: 'senderKey', sort: 'senderAt' },
    /** Messages, and deferrals, by the age of the message; look-ups go along it and filter by what a message is found by. */
    { name: 'age', partition: 'ageKey', sort: 'ageAt', include: ['look'] },
  ],
  timeToLive: 'expiresAt',
} as const satisfies TableSchema

export const POLICY_TABLE = {
  partition: 'pk',
  sort: 'sk',
  /** Entries by the time they expire. */
  indexes: [{ name: 'end', partition: 'endKey', sort: 'endAt' }],
  timeToLive: 'expiresAt',
} as const satisfies TableSchema

/** Seconds, if not said otherwise. A message is the wake-up for a job whose row is in the records table. */
export type QueueSchema = Readonly<{
  visibilityTimeout: number
  retention: number
  /** The longest that a receive waits for a message. */
  waitTime: number
  /** Receives, after which a message goes to the dead-letter queue. */
  maxReceiveCount: number
  deadLetterRetention: number
}>

const DAY = 86_400

/**
 * Both queues, scan and delivery. The lease of a job is in its row, so that visibility only says when to look at the row
 * again; dead letters too are rows, and a message gets into the dead-letter queue only when workers die without a word.
 */
export const JOB_QUEUE = {
  visibilityTimeout: 300,
  retention: 14 * DAY,
  waitTime: 20,
  maxReceiveCount: 20,
  deadLetterRetention: 14 * DAY,
} as const satisfies QueueSchema

/** Each with a dead-letter queue. */
export const QUEUES = ['scan', 'delivery'] as const

export const MAIL_BUCKET = {
  prefixes: {
    /** Contents by queue id, as received, until their last recipient has come to its end. */
    incoming: 'incoming/',
    /** Contents that are in quarantine, for other rules and rights than mail that is on its way. */
    quarantine: 'quarantine/',
    /** What scanners load their signatures from. */
    signatures: 'signatures/',
  },
  /**
   * Days. Contents have no expiry: the gateway removes them with the last recipient, the sweep what no record names, and
   * a rule by age could take away mail that somebody holds.
   */
  lifecycle: { abortIncompleteUploads: 1, noncurrentVersions: 1 },
} as const
