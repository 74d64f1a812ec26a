// elemta dlq: jobs whose worker failed or died again and again, and the way back for them.
import type { Command } from 'commander'
import type { ListedDeadLetter } from '../../src/spool/dead-letter-operations.ts'

type Options = Readonly<{ json?: true; dryRun?: true; yes?: true; config?: string }>
type Replayed = Readonly<{ replayed: readonly ListedDeadLetter[]; unknown: readonly string[] }>

export function register(program: Command): void {
  const dlq = program.command('dlq').description('list dead letters and put them back on their queue')
  const file = ['-c, --config <file>', 'configuration file'] as const

  dlq
    .command('list')
    .description('list dead letters, oldest first')
    .option('--json', 'print JSON lines')
    .option(...file)
    .action(async ({ json, config }: Options) => {
      const { callOperator } = await import('./operator-client.ts')
      const { deadLetters } = await callOperator<{ deadLetters: readonly ListedDeadLetter[] }>(config, 'dlq/list', {})
      for (const letter of deadLetters) {
        process.stdout.write(json ? `${JSON.stringify(letter)}\n` : line(letter))
      }
    })

  dlq
    .command('replay')
    .description('put dead letters back on their queue, as if they were new')
    .argument('<ids...>', 'queue ids; ALL for everything')
    .option('--dry-run', 'only list')
    .option('--yes', 'with ALL: it is meant')
    .option('--json', 'print JSON')
    .option(...file)
    .action(replay)
}

async function replay(ids: readonly string[], { json, dryRun, yes, config }: Options): Promise<void> {
  const { callOperator } = await import('./operator-client.ts')
  const { selectionOf } = await import('./queue-options.ts')
  const { EXIT } = await import('../../src/platform/exit.ts')
  const selection = selectionOf(ids, { ...(yes && { yes }), ...(dryRun && { dryRun }) })
  const { replayed, unknown } = await callOperator<Replayed>(config, 'dlq/replay', selection)
  if (json) process.stdout.write(`${JSON.stringify({ replayed, unknown })}\n`)
  else {
    if (dryRun) for (const letter of replayed) process.stdout.write(line(letter))
    process.stdout.write(`${dryRun ? 'would be replayed' : 'replayed'}: ${replayed.length}\n`)
  }
  for (const id of unknown) process.stderr.write(`elemta: ${id} is no dead letter\n`)
  if (unknown.length > 0) process.exitCode = EXIT.noInput
}

function line({ queueId, stage, recipients, why, since }: ListedDeadLetter): string {
  const when = new Date(since).toISOString()
  return `${queueId}  ${stage.padEnd(8)}  ${when}  ${recipients.join(' ')}  (${why.replaceAll(/\s+/g, ' ')})\n`
}
