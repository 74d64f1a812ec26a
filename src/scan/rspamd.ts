// Rspamd: POST /checkv2 with the envelope in header fields, a connection per scan, as rspamd keeps none open.
// Over our own exchange, not node:http or undici: a scan then costs us a half or a third of the CPU, one deadline and
// one size limit hold for all of it, and a refusal in the middle of a large message is read.
// Both ports will do: the normal worker (11333) and the controller (11334), which scans by itself, in one process, and
// asks for a password unless we come from its secure_ip; a message with a password is not greylisted or rate-limited.
import type { Finding } from '../mail/verdict.ts'
import { metricsFor } from '../platform/canary-metrics.ts'
import type { Metrics } from '../platform/metrics.ts'
import { ExchangeError, exchange, peerName, type Request } from './exchange.ts'
import { isRspamdAction, meaningOf } from './rspamd-action.ts'
import { withAuthenticationResults } from './rspamd-authentication.ts'
import { readCheckReply } from './rspamd-reply.ts'
import { checkRequest, type RequestOptions } from './rspamd-request.ts'
import { couldNotScan, type ScanContent, type Scanner } from './scanner.ts'

export type RspamdOptions = RequestOptions &
  Readonly<{
    port: number
    /** Milliseconds for a whole scan. */
    timeout: number
    /** rspamd's max_message in octets, where it is known: what is longer is not even sent. */
    maxSize?: number | undefined
    metrics: Metrics
  }>

/** Octets. A message with ten thousand links has an answer of some 250 kB. */
const REPLY_LIMIT = 8 * 1024 * 1024
/** rspamd breaks the connection, without an answer, when a message exceeds max_message, which is this by default. */
const DEFAULT_MAX_SIZE = 50 * 1024 * 1024
/** Milliseconds for a ping. */
const PATIENCE = 5000
const PING = Buffer.from('GET /ping HTTP/1.0\r\n\r\n')

export function createRspamd({ port, timeout, maxSize, metrics: all, ...requestOptions }: RspamdOptions): Scanner {
  const { host } = requestOptions
  const peer = peerName({ host, port })
  const tooLarge = (size: number, limit: number) =>
    couldNotScan('rspamd', 'too-large', `${size} octets are more than rspamd at ${peer} takes (${limit}, max_message)`)

  async function look(head: Buffer, content: ScanContent, signal?: AbortSignal): Promise<Finding> {
    const { size } = content
    if (maxSize !== undefined && size > maxSize) return tooLarge(size, maxSize)
    try {
      const request = () => withHead(head, content)
      const asked = { request, length: head.length + size, replyLimit: REPLY_LIMIT }
      const { octets, early } = await exchange({ host, port, timeout, ...asked, signal })
      const finding = readCheckReply(octets, peer, size)
      if (!early || finding.kind !== 'scored') return finding
      return couldNotScan('rspamd', 'protocol', `rspamd at ${peer} gave a score before it had the whole message`)
    } catch (error) {
      if (!(error instanceof ExchangeError)) return couldNotScan('rspamd', 'protocol', `rspamd at ${peer}: ${error}`)
      const { failure, lost, message } = error
      if (failure === 'protocol' && lost && size > DEFAULT_MAX_SIZE) return tooLarge(size, maxSize ?? DEFAULT_MAX_SIZE)
      return couldNotScan('rspamd', failure, `rspamd at ${message}`)
    }
  }

  function count(finding: Finding, metrics: Metrics): void {
    if (finding.kind === 'could-not-scan') metrics.rspamdErrors.inc(finding.failure)
    if (finding.kind !== 'scored') return
    metrics.rspamdScore.observe(finding.score)
    const { action } = finding
    if (!isRspamdAction(action)) return
    metrics.rspamdActions.inc(action)
    if (meaningOf(action) === 'pass') metrics.rspamdHam.inc()
    else metrics.rspamdSpam.inc()
  }

  return {
    name: 'rspamd',

    async scan(message, content, signal) {
      const metrics = metricsFor(all, message)
      metrics.rspamdScans.inc()
      const stopTimer = metrics.rspamdDuration.startTimer()
      const finding = await look(checkRequest(message, content.size, requestOptions), content, signal)
      stopTimer({ queueId: message.queueId })
      count(finding, metrics)
      const { hostname } = requestOptions
      if (finding.kind !== 'scored' || hostname === undefined) return finding
      const headers = withAuthenticationResults(finding.headers, finding.symbols, message, hostname)
      return { ...finding, headers }
    },

    async ping() {
      try {
        const { octets } = await exchange({ host, port, timeout: PATIENCE, request: () => [PING], replyLimit: 4096 })
        const ok = /^HTTP\/1\.[01] 200 /.test(octets.toString('latin1', 0, 16))
        return { ok, detail: `rspamd at ${peer} ${ok ? 'answers' : 'does not answer as rspamd does'}` }
      } catch (error) {
        return { ok: false, detail: `rspamd at ${(error as Error).message}` }
      }
    },

    // No connection outlives its scan.
    async close() {},
  }
}

function withHead(head: Buffer, { size, chunks }: ScanContent): Request {
  if (size === 0) return [head]
  const content = chunks()
  return Buffer.isBuffer(content) ? [head, content] : prefixed(head, content)
}

async function* prefixed(head: Buffer, content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield head
  yield* content
}
