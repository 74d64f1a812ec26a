// elemta ledger: proves that every accepted recipient has an end state or is in a queue; exit 1 when not.
import type { Command } from 'commander'

export function register(program: Command): void {
  program
    .command('ledger')
    .description('prove that no accepted mail is unaccounted for; exit code 1 when some is')
    .option('-c, --config <file>', 'configuration file')
    .option('--json', 'print the numbers as JSON')
    .action(async (options: { config?: string; json?: boolean }) => {
      const { withRecords } = await import('./spool-reader.ts')
      const { formatLedger, readLedger } = await import('../../src/spool/ledger.ts')
      await withRecords(options.config, async backends => {
        const ledger = await readLedger(backends)
        process.stdout.write(options.json ? `${JSON.stringify(ledger)}\n` : formatLedger(ledger))
        if (ledger.imbalance !== 0) process.exitCode = 1
      })
    })
}
