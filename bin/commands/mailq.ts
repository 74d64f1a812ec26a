// elemta mailq: the queue as sendmail and Postfix print it, for eyes and scripts that know that form.
import type { Command } from 'commander'
import type { CallOperator } from './operator-client.ts'

export function register(program: Command): void {
  program
    .command('mailq')
    .description('print the queue as sendmail does')
    .option('-c, --config <file>', 'configuration file')
    .action(async ({ config }: { config?: string }) => {
      const { withOperator } = await import('./operator-client.ts')
      await withOperator(config, printMailq)
    })
}

export async function printMailq(call: CallOperator): Promise<void> {
  const { listMessages } = await import('./queue-pages.ts')
  const { MAILQ_HEAD, mailqEntry, mailqSummary } = await import('./queue-text.ts')
  let [messages, octets] = [0, 0]
  for await (const message of listMessages(call)) {
    if (messages === 0) process.stdout.write(MAILQ_HEAD)
    process.stdout.write(mailqEntry(message))
    messages++
    octets += message[0]?.size ?? 0
  }
  process.stdout.write(mailqSummary(messages, octets))
}
