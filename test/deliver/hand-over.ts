// The shortest way to hand a message to a next hop: a pool and a transaction, without routes.
import { onTestFinished } from 'vitest'
import { type ConnectionPool, createConnectionPool, type PoolOptions } from '../../src/deliver/connection-pool.ts'
import type { NextHop } from '../../src/deliver/next-hop.ts'
import { DEFAULT_TIMEOUTS, type DeliveryTimeouts, NextHopError } from '../../src/deliver/smtp-connection.ts'
import type { SmtpSession } from '../../src/deliver/smtp-session.ts'
import { type RecipientResult, runTransaction, type Transaction } from '../../src/deliver/smtp-transaction.ts'
import type { Content } from '../../src/storage/message-store.ts'
import { contentOf, HOSTNAME, MAIL } from './messages.ts'

/** A pool that is closed when the test is over. */
export function openPool({
  timeouts,
  ...options
}: Partial<Omit<PoolOptions, 'timeouts'>> & { timeouts?: Partial<DeliveryTimeouts> } = {}): ConnectionPool {
  const pool = createConnectionPool({
    hostname: HOSTNAME,
    idleTime: 30_000,
    ...options,
    timeouts: { ...DEFAULT_TIMEOUTS, ...timeouts },
  })
  onTestFinished(() => pool.close())
  return pool
}

export type HandedOver = Readonly<{
  results: readonly RecipientResult[]
  /** `delivered: 250 2.0.0 Ok` for each recipient. */
  told: readonly string[]
  /** What no recipient has a result for. */
  error: NextHopError | undefined
  session: SmtpSession | undefined
}>

type Asked = Partial<Omit<Transaction, 'content'>> &
  Readonly<{ content?: Content; timeouts?: Partial<DeliveryTimeouts>; attempt?: number; signal?: AbortSignal }>

/** One message by the pool. What is no NextHopError is thrown. */
export async function handOver(
  pool: ConnectionPool,
  nextHop: NextHop,
  { content = contentOf(MAIL), timeouts, attempt = 20_000, signal, ...transaction }: Asked = {},
): Promise<HandedOver> {
  const results: RecipientResult[] = []
  let used: SmtpSession | undefined
  const endBy = performance.now() + attempt
  const work = async (session: SmtpSession) => {
    used = session
    await runTransaction(
      session,
      {
        reversePath: 'alice@sender.example',
        recipients: ['bob@example.com'],
        smtputf8: false,
        body: '7BIT',
        size: content.size,
        content: () => content.chunks(),
        headerHasUtf8: async () => false,
        ...transaction,
      },
      {
        timeouts: { ...DEFAULT_TIMEOUTS, ...timeouts },
        endBy,
        signal,
        report: async some => void results.push(...some),
      },
    )
  }
  const error = await pool.use(nextHop, { endBy, signal }, work).then(
    () => undefined,
    (thrown: unknown) => {
      if (thrown instanceof NextHopError) return thrown
      throw thrown
    },
  )
  return { results, told: results.map(({ kind, reply }) => `${kind}: ${reply}`), error, session: used }
}
