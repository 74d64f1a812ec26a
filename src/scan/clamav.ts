// ClamAV: clamd asked by INSTREAM over TCP, a connection per scan (kept sessions gain little and end all at once).
// Our own client, since npm's clamscan resolves with "infected: null" when clamd times out, closes early, answers
// garbage or half an answer, or gets an empty message; it buffers what clamd does not read; and it cannot tell "too
// large" from a crash. Here `clean` is exactly one answer; whatever is no finding is `could-not-scan`.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Finding } from '../mail/verdict.ts'
import { metricsFor } from '../platform/canary-metrics.ts'
import type { Metrics } from '../platform/metrics.ts'
import { type ClamavVersion, isTerminated, quoteReply, readStreamReply, readVersionReply } from './clamd-reply.ts'
import { ExchangeError, exchange, peerName, type Request } from './exchange.ts'
import { couldNotScan, type ScanContent, type Scanner } from './scanner.ts'

export type ClamavOptions = Readonly<{
  host: string
  port: number
  /** Milliseconds for a whole scan. */
  timeout: number
  /** clamd's StreamMaxLength in octets, where it is known: what is longer is not even sent. */
  streamMax?: number | undefined
  metrics: Metrics
}>

export type Clamav = Scanner &
  Readonly<{
    /** Undefined when clamd cannot be asked. */
    version(): Promise<ClamavVersion | undefined>
  }>

const REPLY_LIMIT = 4096
/** Milliseconds for PING and VERSION. */
const PATIENCE = 5000
/** Milliseconds that clamd gets to refuse a message by its length, when it broke the first connection. */
const REFUSAL_TIME = 1000
/** Octets that are on their way before a refusal could come. */
const AT_ONCE = 64 * 1024
const LONGEST_CHUNK = 0xffff_ffff
const END_OF_STREAM = Buffer.alloc(4)

export function createClamav({ host, port, timeout, streamMax = LONGEST_CHUNK, metrics: all }: ClamavOptions): Clamav {
  const peer = peerName({ host, port })

  async function ask(request: (attempt: 1 | 2) => Request, within: number, signal?: AbortSignal): Promise<string> {
    const options = { host, port, timeout: within, request, replyLimit: REPLY_LIMIT, isEnd: isTerminated, signal }
    const { octets, early } = await exchange(options)
    const reply = octets.toString('latin1')
    const whole = isTerminated(octets)
    if (!whole) throw new ExchangeError('protocol', `${peer} broke off in its answer ${quoteReply(reply)}`)
    const hasty = early && reply.startsWith('stream: OK')
    if (hasty) throw new ExchangeError('protocol', `${peer} said OK before it had the whole message`)
    return reply.slice(0, -1)
  }
  const command = (name: string) => ask(() => [Buffer.from(`z${name}\0`)], PATIENCE)

  async function look(content: ScanContent, signal?: AbortSignal): Promise<Finding> {
    if (content.size > streamMax) {
      return couldNotScan('clamav', 'too-large', `${content.size} octets are more than clamd takes (${streamMax})`)
    }
    try {
      const reply = await ask(attempt => instream(content, attempt), timeout, signal)
      return readStreamReply(reply, peer, content.size)
    } catch (error) {
      if (error instanceof ExchangeError) return couldNotScan('clamav', error.failure, `clamd at ${error.message}`)
      return couldNotScan('clamav', 'protocol', `clamd at ${peer}: ${error}`)
    }
  }

  return {
    name: 'clamav',

    async scan(message, content, signal) {
      const metrics = metricsFor(all, message)
      metrics.clamavScans.inc()
      const stopTimer = metrics.clamavDuration.startTimer()
      const finding = await look(content, signal)
      stopTimer({ queueId: message.queueId })
      if (finding.kind === 'virus') metrics.clamavViruses.inc()
      if (finding.kind === 'heuristic') metrics.clamavHeuristics.inc()
      if (finding.kind === 'could-not-scan') metrics.clamavErrors.inc(finding.failure)
      return finding
    },

    async ping() {
      try {
        const reply = await command('PING')
        return { ok: reply === 'PONG', detail: `clamd at ${peer} answers ${quoteReply(reply)}` }
      } catch (error) {
        return { ok: false, detail: `clamd at ${(error as Error).message}` }
      }
    },

    async version() {
      try {
        return readVersionReply(await command('VERSION'))
      } catch {
        return undefined
      }
    },

    // No connection outlives its scan.
    async close() {},
  }
}

/**
 * The message as one chunk, so that clamd can refuse it by its length before most of it is sent. Should its refusal
 * have been lost in the broken connection, the second try waits for it.
 */
function instream({ size, chunks }: ScanContent, attempt: 1 | 2): Request {
  const head = Buffer.from('zINSTREAM\0\0\0\0\0')
  if (size === 0) return [head]
  head.writeUInt32BE(size, head.length - END_OF_STREAM.length)
  const content = chunks()
  const wait = attempt === 2 && size > AT_ONCE
  if (Buffer.isBuffer(content) && !wait) return [head, content, END_OF_STREAM]
  return announced(head, content, wait)
}

async function* announced(
  head: Buffer,
  content: Buffer | AsyncIterable<Buffer>,
  wait: boolean,
): AsyncGenerator<Buffer> {
  yield head
  if (wait) await sleep(REFUSAL_TIME, undefined, { ref: false })
  if (Buffer.isBuffer(content)) yield content
  else yield* content
  yield END_OF_STREAM
}
