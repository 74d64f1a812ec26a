// What scanners report (findings) and what we decide (verdict). The decision itself is src/scan/verdict.ts.

export type ScannerName = 'clamav' | 'rspamd'

/** Why a scanner could not say anything about the whole message. Never read as clean. */
export type ScanFailure =
  | 'unreachable' // refused, no route, DNS
  | 'timeout' // connected, no whole answer in time
  | 'too-large' // beyond the scanner's limit
  | 'protocol' // an answer that we do not understand, or an early close

export type Finding =
  | Readonly<{ scanner: ScannerName; kind: 'clean' }>
  /** ClamAV: a signature matched. */
  | Readonly<{ scanner: 'clamav'; kind: 'virus'; signature: string }>
  /** ClamAV `Heuristics.*`: encrypted archive, macro, limit exceeded: suspicious, not a known virus. */
  | Readonly<{ scanner: 'clamav'; kind: 'heuristic'; signature: string }>
  | Readonly<{
      scanner: 'rspamd'
      kind: 'scored'
      score: number
      requiredScore: number
      /** rspamd's own proposal: no action, greylist, add header, rewrite subject, soft reject, reject, discard, quarantine */
      action: string
      /** Symbol name → score. */
      symbols: Readonly<Record<string, number>>
      /** rspamd's `milter.add_headers`, such as Authentication-Results: name, value (unfolded or folded by CRLF). */
      headers: readonly HeaderField[]
    }>
  | Readonly<{
      scanner: ScannerName
      kind: 'could-not-scan'
      failure: ScanFailure
      detail: string
      /** It wants the message to come again, and has not looked at it. */
      putOff?: boolean
    }>

/** A header field to put in front of a message; the value has no trailing CRLF and may be folded by `CRLF WSP`. */
export type HeaderField = Readonly<{ name: string; value: string }>

export type Decision = 'deliver' | 'tag' | 'quarantine' | 'discard' | 'rescan' | 'hold'

export type Verdict = Readonly<{
  decision: Decision
  /** For people: `Eicar-Test-Signature (ClamAV)`, `score 17.2 of 15 (Rspamd)`, `ClamAV could not scan: timeout …`. */
  why: string
  /** To be put in front when delivering. */
  headers: readonly HeaderField[]
}>
