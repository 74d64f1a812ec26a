// Elemta's sessions with a next hop, without a queue behind them: `node test/bench/hand-over.ts PORT CONNECTIONS MESSAGES
// SIZE` hands over messages that are in memory, as fast as the next hop takes them. Prints a line of JSON: seconds, and
// processor seconds of this process. Ends with an error at the first message that is not taken.
import { createConnectionPool } from '../../src/deliver/connection-pool.ts'
import { DEFAULT_TIMEOUTS } from '../../src/deliver/smtp-connection.ts'
import { type RecipientResult, runTransaction } from '../../src/deliver/smtp-transaction.ts'
import { distinctMessages } from './messages.ts'
import { HOSTNAME, RECIPIENT, SENDER } from './server.ts'

export type HandedOver = Readonly<{ seconds: number; processorSeconds: number }>

const [port = 0, connections = 1, messages = 1, size = 0] = process.argv.slice(2).map(Number)
const nextHop = { protocol: 'smtp', host: '127.0.0.1', port, tls: 'none', connections } as const
const pool = createConnectionPool({ hostname: HOSTNAME, timeouts: DEFAULT_TIMEOUTS, idleTime: 5000 })
const source = distinctMessages(size, 1)
const contents = Array.from({ length: 100 }, () => source.next().value!)
let sent = 0

const before = process.cpuUsage()
const startedAt = performance.now()
await Promise.all(Array.from({ length: connections }, worker))
const seconds = (performance.now() - startedAt) / 1000
const { user, system } = process.cpuUsage(before)
await pool.close()
const result: HandedOver = { seconds, processorSeconds: (user + system) / 1e6 }
process.stdout.write(`${JSON.stringify(result)}\n`)

async function worker(): Promise<void> {
  while (sent < messages) {
    const content = contents[sent++ % contents.length]!
    const transaction = {
      reversePath: SENDER,
      recipients: [RECIPIENT],
      smtputf8: false,
      body: '7BIT',
      size: content.length,
      content: async function* () {
        yield content
      },
      headerHasUtf8: async () => false,
    } as const
    const attempt = { endBy: performance.now() + 60_000 }
    const options = { ...attempt, timeouts: DEFAULT_TIMEOUTS, report }
    await pool.use(nextHop, attempt, session => runTransaction(session, transaction, options))
  }
}

async function report([result]: readonly RecipientResult[]): Promise<void> {
  if (result?.kind !== 'delivered') throw new Error(`not taken: ${result?.reply}`)
}
