// Port: a scanner, which looks at a message and reports one finding. Adapters: clamav, rspamd.
// A scan never rejects: whatever goes wrong is a `could-not-scan` finding, whose detail tells an operator what
// happened and where. It is never read as clean.
import type { AcceptedMessage } from '../mail/record.ts'
import type { Finding, ScanFailure, ScannerName } from '../mail/verdict.ts'

/** A content on its way to a scanner. */
export type ScanContent = Readonly<{
  /** Octets. */
  size: number
  /** The octets in order, in one piece or as they are read. A scanner that starts over calls it again. */
  chunks(): Buffer | AsyncIterable<Buffer>
}>

/** Whether the scanner answers; `detail` is for people and names host and port. */
export type ScannerHealth = Readonly<{ ok: boolean; detail: string }>

export interface Scanner {
  readonly name: ScannerName
  /** Never rejects. When `signal` is aborted the scan is given up; its finding then means nothing. */
  scan(message: AcceptedMessage, content: ScanContent, signal?: AbortSignal): Promise<Finding>
  /** Never rejects. */
  ping(): Promise<ScannerHealth>
  close(): Promise<void>
}

export function couldNotScan(scanner: ScannerName, failure: ScanFailure, detail: string): Finding {
  return { scanner, kind: 'could-not-scan', failure, detail }
}
