// elemta cost: what a month of mail costs on AWS, line by line, beside what AWS's own mail services would. From a price
// sheet with its date; asks nobody.
import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { EXIT, ExitError } from '../../src/platform/exit.ts'

type Options = {
  messages: string
  size: string
  region: string
  prices?: string
  stage?: string
  nextHop: string
  json?: boolean
}

export function register(program: Command): void {
  program
    .command('cost')
    .description('estimate what a month of mail costs on AWS')
    .option('--messages <count>', 'messages a month: 50k, 1M, 2500000', '1M')
    .option('--size <size>', 'size of a message on average; 1KB is 1000 octets here, as on bills', '75KB')
    .option('--region <region>', 'where; other regions than us-east-1 need --prices', 'us-east-1')
    .option('--prices <file>', 'YAML with prices that differ from the sheet')
    .option('--stage <name>', 'the settings of deployments/<name>.ts instead of the defaults')
    .option('--next-hop <where>', 'where mail is delivered to: internet or vpc', 'internet')
    .option('--json', 'print the numbers as JSON')
    .action(run)
}

async function run(options: Options): Promise<void> {
  const { reportOf } = await import('../../lib/cost/report.ts')
  const { formatReport } = await import('../../lib/cost/table.ts')
  const { PRICED_REGION, PRICES } = await import('../../src/platform/prices.ts')
  const { region, prices: file, stage, nextHop } = options
  if (region !== PRICED_REGION && file === undefined) {
    throw usage(`there are prices of ${PRICED_REGION} only: name those of ${region} by --prices FILE`)
  }
  if (nextHop !== 'internet' && nextHop !== 'vpc') throw usage('--next-hop: expected internet or vpc')
  const load = { messages: amount(options.messages, 'messages'), octets: amount(options.size, 'size') }
  const prices = file === undefined ? PRICES : (await import('../../lib/cost/price-file.ts')).loadPrices(file)
  const report = reportOf({ load, region, prices, nextHop, input: await inputOf(stage) })
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : formatReport(report, prices))
}

async function inputOf(stage: string | undefined): Promise<unknown> {
  if (stage === undefined) return undefined
  const file = new URL(`../../deployments/${stage}.ts`, import.meta.url)
  if (!/^[a-z0-9-]+$/.test(stage) || !existsSync(file)) throw usage(`there is no deployments/${stage}.ts`)
  return (await import(file.href)).default
}

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1e3, kb: 1e3, m: 1e6, mb: 1e6, g: 1e9, b: 1e9 }

function amount(written: string, option: string): number {
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(written.trim().replaceAll(',', '')) ?? []
  const value = Number(digits) * (UNITS[unit.toLowerCase()] ?? Number.NaN)
  if (Number.isFinite(value)) return value
  throw usage(`--${option}: expected a number such as 50k or 1M, not ${JSON.stringify(written)}`)
}

const usage = (message: string) => new ExitError(EXIT.usage, message)
