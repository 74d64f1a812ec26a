// What clamd's answers mean. Only `stream: OK` is clean; an answer that we do not know is `could-not-scan`. Pure.
// Signatures that did not come from ClamAV end in `.UNOFFICIAL`; that suffix is cut off, nobody is helped by it.
import type { Finding } from '../mail/verdict.ts'
import { couldNotScan } from './scanner.ts'

export type ClamavVersion = Readonly<{
  /** `1.4.6` */
  engine: string
  /** The number of the daily signatures; absent where there are only loose files. */
  database?: string
  /** When they were built, milliseconds since 1970. clamd tells it in its own time zone: we take that for UTC. */
  databaseBuiltAt?: number
}>

/** Answers end by NUL, as the commands do, but some errors by a line feed. */
export function isTerminated(reply: Buffer): boolean {
  const last = reply.at(-1)
  return last === 0 || last === 10
}

/** The answer to INSTREAM, without its end. `peer` and `size` are for the detail. */
export function readStreamReply(reply: string, peer: string, size: number): Finding {
  if (reply === 'stream: OK') return { scanner: 'clamav', kind: 'clean' }
  const [, name] = /^stream: ([\x20-\x7e]+) FOUND$/.exec(reply) ?? []
  if (name !== undefined) {
    const signature = name.replace(/\.UNOFFICIAL$/, '')
    return { scanner: 'clamav', kind: signature.startsWith('Heuristics.') ? 'heuristic' : 'virus', signature }
  }
  if (reply === 'INSTREAM size limit exceeded. ERROR') {
    return couldNotScan('clamav', 'too-large', `${size} octets are more than StreamMaxLength of clamd at ${peer}`)
  }
  if (reply === 'COMMAND READ TIMED OUT') {
    return couldNotScan('clamav', 'timeout', `clamd at ${peer} waited too long for the message (its ReadTimeout)`)
  }
  return couldNotScan('clamav', 'protocol', `clamd at ${peer} answered ${quoteReply(reply)}`)
}

/** The answer to VERSION: `ClamAV 1.4.6/27345/Sat Nov 21 23:34:35 2026`, or the first part alone. */
export function readVersionReply(reply: string): ClamavVersion | undefined {
  const [, engine, database, date] = /^ClamAV ([^/]+)(?:\/(\d+)\/(.+))?$/.exec(reply) ?? []
  if (engine === undefined) return undefined
  if (database === undefined) return { engine }
  const builtAt = Date.parse(`${date} UTC`)
  return Number.isNaN(builtAt) ? { engine, database } : { engine, database, databaseBuiltAt: builtAt }
}

/** For people and logs: on one line and not too long. */
export function quoteReply(reply: string): string {
  return JSON.stringify(reply.slice(0, 120))
}
