// elemta trace: where is my mail?
import type { Command } from 'commander'
import type { ReadOnlyBackends } from '../../src/backends.ts'
import { isQueueId } from '../../src/mail/queue-id.ts'
import type { MessageRecord } from '../../src/mail/record.ts'
import { bareAddress } from './arguments.ts'

export function register(program: Command): void {
  program
    .command('trace')
    .description('tell the story of a message: every step with times, scanners’ answers and the next hop’s reply')
    .argument('<what>', 'a queue id, a Message-ID, or an address of a sender or recipient')
    .option('-c, --config <file>', 'configuration file')
    .option('-n, --limit <number>', 'newest messages to show for an address or Message-ID', Number, 10)
    .option('--json', 'print the records as JSON lines')
    .action(async (what: string, options: { config?: string; limit: number; json?: boolean }) => {
      const { withRecords } = await import('./spool-reader.ts')
      const { formatTrace } = await import('../../src/spool/trace.ts')
      await withRecords(options.config, async ({ records }) => {
        const found = await look(records, what, options.limit)
        for (const record of found) {
          process.stdout.write(options.json ? `${JSON.stringify(record)}\n` : `${formatTrace(record)}\n`)
        }
        if (found.length === 0) {
          process.stderr.write(
            `elemta: no message with the queue id, Message-ID or address ${what} was accepted here\n`,
          )
          process.exitCode = 1
        }
      })
    })
}

/** An address and a Message-ID look alike without angle brackets, so both are tried. */
async function look(records: ReadOnlyBackends['records'], what: string, limit: number): Promise<MessageRecord[]> {
  const id = what.toUpperCase()
  if (isQueueId(id)) {
    const record = await records.get(id)
    return record === undefined ? [] : [record]
  }
  const bare = bareAddress(what)
  const byAddress = what === bare ? await records.find({ address: bare, limit }) : []
  return byAddress.length > 0 ? byAddress : records.find({ messageId: `<${bare}>`, limit })
}
