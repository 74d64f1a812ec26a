// elemta queue: look at what is queued, and steer it. The same by HTTP: POST /v1/queue/… on the operator's port.
// Exit codes: docs/queue.md.
import { Argument, type Command } from 'commander'
import type { Deferral } from '../../src/mail/job.ts'
import { PRIORITIES, type Priority } from '../../src/mail/priority.ts'
import type { MessageRecord } from '../../src/mail/record.ts'
import { addFilterOptions, type FilterOptions } from './queue-options.ts'

type Common = Readonly<{ config?: string; json?: true }>
type ActOptions = Common & FilterOptions & Readonly<{ yes?: true; dryRun?: true; to?: string; priority?: Priority }>

const ACTS = {
  hold: 'set messages aside: no attempts until they are released',
  release: 'let messages that are held go on; what a verdict has held is scanned again',
  retry: 'try deferred messages now',
  delete: 'delete messages from the queue; nobody is told',
  reroute: 'send messages to another server than the routes say, now and on every later attempt',
} as const

export function register(program: Command): void {
  const queue = program
    .command('queue')
    .description('list, hold, release, retry, reroute, prioritise and delete queued mail')
  const file = ['-c, --config <file>', 'configuration file'] as const

  addFilterOptions(queue.command('list'))
    .description('list queued mail, oldest first')
    .option('-n, --limit <number>', 'recipients to show', Number, 1000)
    .option('--json', 'print JSON lines')
    .option(...file)
    .action(list)

  queue
    .command('show')
    .description('tell the story of a message, and what is to come')
    .argument('<id>', 'a queue id')
    .option('--json', 'print JSON')
    .option(...file)
    .action(show)

  for (const [act, description] of Object.entries(ACTS)) {
    const command = addFilterOptions(queue.command(act))
      .description(description)
      .argument('[ids...]', 'queue ids; ALL for everything')
    if (act === 'reroute') command.requiredOption('--to <next hop>', 'smtp://HOST:PORT, smtps:// or lmtp://')
    command
      .option('--dry-run', 'only count and list')
      .option('--yes', 'with ALL: it is meant')
      .option('--json', 'print JSON')
      .option(...file)
      .action((ids: readonly string[], options: ActOptions) => run(act, ids, options))
  }

  addFilterOptions(queue.command('priority'))
    .description('let messages go before or after others, to scanners and next hops')
    .addArgument(new Argument('<priority>').choices(PRIORITIES))
    .argument('[ids...]', 'queue ids; ALL for everything')
    .option('--dry-run', 'only count and list')
    .option('--yes', 'with ALL: it is meant')
    .option('--json', 'print JSON')
    .option(...file)
    .action((priority: Priority, ids: readonly string[], options: ActOptions) =>
      run('priority', ids, { ...options, priority }),
    )

  queue
    .command('flush')
    .description('try everything that is deferred now, or what is for one domain')
    .option('--domain <domain>', 'recipients at this domain')
    .option('--dry-run', 'only count and list')
    .option('--json', 'print JSON')
    .option(...file)
    .action((options: ActOptions) => run('flush', [], options))
}

async function list(options: Common & FilterOptions & Readonly<{ limit: number }>): Promise<void> {
  const { withOperator } = await import('./operator-client.ts')
  const { filterOf } = await import('./queue-options.ts')
  const { listQueue } = await import('./queue-pages.ts')
  const { recipientLine } = await import('./queue-text.ts')
  await withOperator(options.config, async call => {
    let shown = 0
    for await (const recipient of listQueue(call, filterOf(options))) {
      if (shown === options.limit) {
        process.stderr.write('elemta: there are more; --limit shows them\n')
        break
      }
      shown++
      process.stdout.write(options.json ? `${JSON.stringify(recipient)}\n` : recipientLine(recipient, Date.now()))
    }
    if (shown === 0 && !options.json) process.stderr.write('elemta: nothing in the queue fits\n')
  })
}

async function show(id: string, { config, json }: Common): Promise<void> {
  const { callOperator } = await import('./operator-client.ts')
  const { formatTrace } = await import('../../src/spool/trace.ts')
  const { deferralLine } = await import('./queue-text.ts')
  type Shown = Readonly<{ record: MessageRecord; deferrals: readonly Deferral[] }>
  const shown = await callOperator<Shown>(config, 'queue/show', { id })
  const text = () => `${formatTrace(shown.record)}${shown.deferrals.map(deferralLine).join('')}`
  process.stdout.write(json ? `${JSON.stringify(shown)}\n` : text())
}

async function run(act: string, ids: readonly string[], options: ActOptions): Promise<void> {
  const { withOperator } = await import('./operator-client.ts')
  const { runAct, selectionOf, tellAct } = await import('./queue-options.ts')
  const everything = act === 'flush' && options.domain === undefined
  const selection = selectionOf(everything ? ['ALL'] : ids, everything ? { ...options, yes: true } : options)
  const { to, priority } = options
  const more = { ...(to !== undefined && { to }), ...(priority !== undefined && { priority }) }
  const name = `queue/${act === 'flush' ? 'retry' : act}`
  await withOperator(options.config, async call =>
    tellAct(act, await runAct(call, name, { ...selection, ...more }), options),
  )
}
