// What every server under test has in common: it listens on a port, its whole process tree is known, it can be ended.
// The settings all of them get are here too, so that the comparison is like for like.

export type Server = Readonly<{
  name: string
  port: number
  /** The roots of its process trees, for processor time. */
  pids: readonly number[]
  stop(): Promise<void>
}>

/** Where a server works and with which environment (the sync shim, or nothing). */
export type Place = Readonly<{ directory: string; environment?: Readonly<Record<string, string>> }>

export const HOSTNAME = 'mx.example.test'
export const DOMAIN = 'example.test'
export const SENDER = 'sender@example.org'
export const RECIPIENT = `recipient@${DOMAIN}`
