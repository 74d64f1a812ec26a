// elemta quarantine: look at mail that was set aside, let it go on, or discard it. The same by HTTP:
// POST /v1/quarantine/… on the operator's port. Exit codes: docs/quarantine.md.
import { type Command, Option } from 'commander'
import type { ListedQuarantine } from '../../src/spool/quarantine-operations.ts'
import type { ActOptions, FilterOptions } from './quarantine-options.ts'

type ListOptions = FilterOptions & Readonly<{ limit: number; json?: true; config?: string }>

export function register(program: Command): void {
  const quarantine = program.command('quarantine').description('list, show, release and discard mail set aside')
  const file = ['-c, --config <file>', 'configuration file'] as const

  filters(quarantine.command('list'))
    .description('list what is in quarantine, oldest first: a line for each recipient')
    .option('--since <duration>', 'accepted no longer ago than this, such as 24h')
    .option('-n, --limit <number>', 'recipients to show', Number, 100)
    .option('--json', 'print JSON lines')
    .option(...file)
    .action((options: ListOptions) => list(options))

  filters(quarantine.command('search'))
    .description('list what has a text in its sender, recipient, subject or reason')
    .argument('<text>')
    .option('--since <duration>', 'accepted no longer ago than this, such as 24h')
    .option('-n, --limit <number>', 'recipients to show', Number, 100)
    .option('--json', 'print JSON lines')
    .option(...file)
    .action((text: string, options: ListOptions) => list(options, text))

  quarantine
    .command('show')
    .description('show a message as text: what was found, header, parts; nothing of it is run or rendered')
    .argument('<id>', 'a queue id')
    .option('--json', 'print JSON')
    .option(...file)
    .action(show)

  const acts = {
    release: 'let mail go on to its recipients, unless something new is found in it',
    discard: 'drop mail for good; nobody is told',
  }
  for (const [act, description] of Object.entries(acts)) {
    const command = filters(quarantine.command(act))
      .description(description)
      .argument('[ids...]', 'queue ids')
      .option('--to <addresses...>', 'only for these of its recipients')
      .option('--all-recipients', 'for all of its recipients that are in quarantine')
      .addOption(new Option('--learn <kind>', 'teach rspamd what it is').choices(['ham', 'spam']))
    if (act === 'release') command.option('--wait <duration>', 'wait so long for the next hop; 0s: do not', '30s')
    command
      .option('--dry-run', 'only list')
      .option('--json', 'print JSON')
      .option(...file)
      .action(async (ids: readonly string[], options: ActOptions) => {
        const { run } = await import('./quarantine-act.ts')
        await run(act as keyof typeof acts, ids, options)
      })
  }
}

function filters(command: Command): Command {
  return command
    .option('--domain <domain>', 'recipients at this domain')
    .option('--sender <address>', 'messages from this sender; <> is the null sender')
    .option('--recipient <address>', 'this recipient')
    .option('--why <text>', 'what was found has this in it')
}

async function list(options: ListOptions, text?: string): Promise<void> {
  const { withOperator } = await import('./operator-client.ts')
  const { durationOf } = await import('./arguments.ts')
  const { filterOf } = await import('./quarantine-options.ts')
  const { listLine } = await import('./quarantine-text.ts')
  const since = options.since === undefined ? {} : { since: durationOf(options.since) }
  const filter = { ...filterOf(options), ...since, ...(text !== undefined && { text }) }
  await withOperator(options.config, async call => {
    let shown = 0
    let after: string | undefined
    do {
      type Page = Readonly<{ recipients: readonly ListedQuarantine[]; next?: string }>
      const page: Page = await call('quarantine/list', { filter, ...(after !== undefined && { after }) })
      for (const one of page.recipients.slice(0, options.limit - shown)) {
        process.stdout.write(options.json ? `${JSON.stringify(one)}\n` : listLine(one, Date.now()))
      }
      const more = shown + page.recipients.length > options.limit || page.next !== undefined
      shown = Math.min(options.limit, shown + page.recipients.length)
      if (shown === options.limit && more) process.stderr.write('elemta: there may be more; --limit shows them\n')
      after = page.next
    } while (after !== undefined && shown < options.limit)
    if (shown === 0 && !options.json) process.stderr.write('elemta: nothing in quarantine fits\n')
  })
}

async function show(id: string, { config, json }: Readonly<{ config?: string; json?: true }>): Promise<void> {
  const { callOperator } = await import('./operator-client.ts')
  const { showText } = await import('./quarantine-text.ts')
  const shown = await callOperator<Parameters<typeof showText>[0]>(config, 'quarantine/show', { id })
  process.stdout.write(json ? `${JSON.stringify(shown)}\n` : showText(shown))
}
