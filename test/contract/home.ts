// What a contract suite needs of a home: its ports, opened again and again on the same storage, and a clock.
import { afterEach, beforeEach } from 'vitest'
import type { Client } from '../../src/mail/envelope.ts'
import type { DeliveryJob, ScanJob } from '../../src/mail/job.ts'
import { mintQueueId } from '../../src/mail/queue-id.ts'
import type { AcceptedMessage, TraceEvent } from '../../src/mail/record.ts'
import type { Backends } from '../../src/storage/backends.ts'

export type Home = Readonly<{
  /** Only after what was opened before is closed. */
  open(): Promise<Backends>
  now(): number
  /** Lets time pass for leases, retries and whatever else the adapters time. */
  advance(milliseconds: number): Promise<void>
  /** Milliseconds until a job whose worker is silent is handed out again. */
  leaseTime: number
  dispose(): Promise<void>
}>

export type MakeHome = () => Promise<Home>

/**
 * A home of its own for each test of the suite that this is called in; `use` is told of it before the test, and again by
 * what is returned, which closes and opens it.
 */
export function homeForEach(makeHome: MakeHome, use: (backends: Backends, home: Home) => void): () => Promise<void> {
  let home: Home
  let backends: Backends
  async function open() {
    backends = await home.open()
    use(backends, home)
  }
  beforeEach(async () => {
    home = await makeHome()
    await open()
  })
  afterEach(async () => {
    await backends.close()
    await home.dispose()
  })
  return async function reopen() {
    await backends.close()
    await open()
  }
}

/** A signal for leases that must not take forever when the queue is broken: the test's own time limit ends them. */
export const untilTestEnds = new AbortController().signal

export const client: Client = { address: '192.0.2.7', port: 40123, helo: 'mail.example.org', esmtp: true }

export function acceptedMessage({
  queueId = mintQueueId(1_700_000_000_000),
  acceptedAt = 1_700_000_000_000,
  reversePath = 'sender@example.org',
  recipients = ['user@example.com'],
  messageId = `<${queueId}@example.org>`,
  size = 5000,
}: Partial<
  Omit<AcceptedMessage, 'client' | 'envelope'> & { reversePath: string; recipients: string[] }
> = {}): AcceptedMessage {
  const envelope = {
    reversePath,
    recipients: recipients.map(address => ({ address })),
    smtputf8: false,
    body: '7BIT',
  } as const
  return { queueId, acceptedAt, client, envelope, size, messageId }
}

export function acceptedEvent(at = 1_700_000_000_000): TraceEvent {
  return { at, event: 'accepted', reply: '250 2.0.0 OK' }
}

export function scanJob(id: string, recipients: string[] = ['user@example.com']): ScanJob {
  return { kind: 'scan', id, queueId: mintQueueId(1_700_000_000_000), recipients, attempt: 1 }
}

export function deliveryJob(id: string, recipients: string[] = ['user@example.com']): DeliveryJob {
  return { ...scanJob(id, recipients), kind: 'delivery', headers: [{ name: 'X-Virus-Scanned', value: 'clean' }] }
}

/** Octets of every value, different at every place that matters for chunk borders. */
export function octets(size: number, seed = 1): Buffer {
  const buffer = Buffer.alloc(size)
  for (let n = 0, x = seed; n < size; n++) {
    x = (x * 1103515245 + 12345) & 0x7fffffff
    buffer[n] = x >> 16
  }
  return buffer
}
