// elemta top: what is queued by domain and age, as qshape shows it, again and again.
import type { Command } from 'commander'
import type { DomainShape } from '../../src/storage/record-store.ts'

type Shape = Readonly<{ minutes: readonly number[]; domains: readonly DomainShape[] }>
type Options = Readonly<{ once?: true; json?: true; interval: number; domains: number; config?: string }>

const CLEAR = '\u001b[H\u001b[2J'

export function register(program: Command): void {
  program
    .command('top')
    .description('show queued recipients by domain and age in minutes, refreshed until Ctrl-C')
    .option('--once', 'print it once and end')
    .option('--json', 'print it once as JSON')
    .option('--interval <seconds>', 'between two looks', Number, 2)
    .option('-n, --domains <number>', 'domains to show', Number, 30)
    .option('-c, --config <file>', 'configuration file')
    .action(run)
}

async function run({ once, json, interval, domains, config }: Options): Promise<void> {
  const { callOperator } = await import('./operator-client.ts')
  const { EXIT, ExitError } = await import('../../src/platform/exit.ts')
  if (!(interval > 0)) throw new ExitError(EXIT.usage, '--interval is a number of seconds')
  for (;;) {
    // Asked anew each time: a gateway that was restarted has another port and token.
    const shape = await callOperator<Shape>(config, 'queue/shape', { domains })
    if (json) process.stdout.write(`${JSON.stringify(shape)}\n`)
    else process.stdout.write(`${once ? '' : CLEAR}${shapeTable(shape)}`)
    if (once || json) return
    await new Promise(resolve => setTimeout(resolve, interval * 1000))
  }
}

/** The upper edge of the ages over each column; T is the total. */
export function shapeTable({ minutes, domains }: Shape): string {
  const heads = ['T', ...minutes.map(String), `${minutes.at(-1)}+`]
  const totals = Array.from(heads, (_, n) => domains.reduce((sum, { counts }) => sum + cells(counts)[n]!, 0))
  const width = Math.max(6, ...totals.map(total => String(total).length + 1))
  const name = Math.max(20, ...domains.map(({ domain }) => domain.length))
  const row = (label: string, values: readonly (string | number)[]) =>
    `${label.padStart(name)} ${values.map(value => String(value).padStart(width)).join('')}\n`
  return [
    row('', heads),
    row('TOTAL', totals),
    ...domains.map(({ domain, counts }) => row(domain === '' ? '(none)' : domain, cells(counts))),
  ].join('')
}

function cells(counts: readonly number[]): number[] {
  return [counts.reduce((sum, n) => sum + n, 0), ...counts]
}
