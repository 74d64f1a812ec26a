// What a client may cost us, in one value. Sizes in octets, times in milliseconds.

export type Timeouts = Readonly<{
  /** From a reply to the end of the next command line (RFC 5321 §4.5.3.2: at least 5 minutes). */
  command: number
  /** In DATA: the time in which `dataRate` must be kept, and so the longest silence. */
  data: number
  /** The whole session. */
  session: number
  /** What our own side may take to decide about a command or to accept a message, before the client hears 451. */
  answer: number
  /** For a TLS handshake, or a PROXY header. */
  handshake: number
  /** From our last reply until the connection is cut if the client does not close it. */
  linger: number
}>

export type Limits = Readonly<{
  messageSize: number
  recipients: number
  connections: number
  connectionsPerClient: number
  /** Refused commands and recipients before 421; an accepted message starts the count again. */
  errors: number
  /** From so many on, each error is answered a second later. */
  softErrors: number
  /** Recipients refused for good in a session before 421. */
  refusedRecipients: number
  /** Octets per second that a client must bring in DATA, on average over `timeouts.data`. */
  dataRate: number
  timeouts: Timeouts
}>

export type LimitSettings = Pick<Limits, 'messageSize' | 'recipients' | 'connections' | 'connectionsPerClient'> &
  Partial<Pick<Limits, 'errors' | 'softErrors' | 'refusedRecipients' | 'dataRate'>> &
  Readonly<{ timeouts?: Partial<Timeouts> }>

const DEFAULT_TIMEOUTS: Timeouts = {
  command: 300_000,
  data: 180_000,
  session: 3_600_000,
  answer: 100_000,
  handshake: 30_000,
  linger: 5_000,
}

const DEFAULTS = { errors: 20, softErrors: 10, refusedRecipients: 20, dataRate: 100 } as const

/** Fills in what was not set. */
export function limitsOf({ timeouts, ...limits }: LimitSettings): Limits {
  return { ...DEFAULTS, ...limits, timeouts: { ...DEFAULT_TIMEOUTS, ...timeouts } }
}
