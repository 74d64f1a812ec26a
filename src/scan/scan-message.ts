// Asks all scanners about one message at the same time. The content is read once: a small one into one buffer, a large
// one chunk by chunk, so that memory stays bounded however large it is and a scanner that fails holds nobody up.
// Rejects when the content cannot be read or the scan is given up; a scanner's failure is a finding.
import type { AcceptedMessage } from '../mail/record.ts'
import type { Finding } from '../mail/verdict.ts'
import type { Metrics } from '../platform/metrics.ts'
import type { Content } from '../storage/message-store.ts'
import { fanOut } from './fan-out.ts'
import type { ScanContent, Scanner } from './scanner.ts'
import { threatOf } from './threat-type.ts'

export type ScanMessageOptions = Readonly<{
  scanners: readonly Scanner[]
  message: AcceptedMessage
  content: Content
  metrics: Metrics
  signal?: AbortSignal
}>

export type ScanResult = Readonly<{
  /** One per scanner, in their order. */
  findings: readonly Finding[]
  /** All scanners together, which is the slowest one. */
  seconds: number
}>

/** Octets up to which a content is held in memory as a whole. */
const SMALL = 256 * 1024

export async function scanMessage(options: ScanMessageOptions): Promise<ScanResult> {
  const { scanners, message, content, metrics, signal } = options
  const startedAt = performance.now()
  const seconds = () => (performance.now() - startedAt) / 1000

  const ask = async (scanner: Scanner, scanContent: ScanContent): Promise<Finding> => {
    const finding = await scanner.scan(message, scanContent, signal)
    metrics.pluginTime.labels(scanner.name).observe(seconds())
    metrics.pluginExecutions.labels(scanner.name, finding.kind === 'could-not-scan' ? 'error' : 'pass').inc()
    return finding
  }
  const findings = await (content.size <= SMALL ? askAtOnce() : askWhileReading())
  signal?.throwIfAborted()
  const all = seconds()
  for (const threat of findings.map(threatOf)) if (threat !== undefined) metrics.threats.inc(threat)
  if (scanners.length > 0) metrics.scanLatency.observe(all, { queueId: message.queueId })
  return { findings, seconds: all }

  async function askAtOnce(): Promise<Finding[]> {
    const octets = await readWhole(content)
    const whole = { size: octets.length, chunks: () => octets }
    return Promise.all(scanners.map(scanner => ask(scanner, whole)))
  }

  async function askWhileReading(): Promise<Finding[]> {
    if (scanners.length === 0) return []
    const { branches, done } = fanOut(content, scanners.length)
    const found = await Promise.all(
      scanners.map((scanner, n) => ask(scanner, branches[n]!.content).finally(() => branches[n]!.leave())),
    )
    await done()
    return found
  }
}

async function readWhole({ size, chunks }: Content): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const chunk of chunks()) parts.push(chunk)
  const octets = parts.length === 1 ? parts[0]! : Buffer.concat(parts)
  if (octets.length === size) return octets
  throw new Error(`the content has ${octets.length} octets instead of ${size}`)
}
