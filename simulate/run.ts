// npm run simulate: a stage on AWS under load, in virtual time and on paper: nothing is asked of anybody. What is assumed
// of the services is in services.ts; what the gateway does is its own code. docs/scaling.md says what was learned from it.
import { Command, InvalidArgumentError } from 'commander'
import { stageSettings } from '../bin/stage-settings.ts'
import { type DeploymentSettings, deploymentSettings } from '../lib/deployment-settings.ts'
import { exitFor } from '../src/platform/exit.ts'
import { askSteps } from './dynamodb-steps.ts'
import { formatResults, formatUsages } from './report.ts'
import { LATENCIES, latenciesTimes, QUOTAS, type QuotaName, quotasWith } from './services.ts'
import { type Result, type SimulationOptions, simulate } from './simulation.ts'

/** What a stage has no default for, and what does not matter here. */
const NAMES = {
  stage: 'any',
  region: 'us-east-1',
  hostname: 'mx.example.com',
  domains: ['example.com'],
  routes: [{ domains: ['*'], to: 'smtp://mail.example.com:25' }],
}
const SWEEP = [10, 100, 1000, 10_000]

type Options = Readonly<{
  rate: number
  sweep?: true
  duration: number
  stage?: string
  tasks: 'needed' | 'settings'
  delivery?: 'fargate' | 'lambda'
  latency: number
  nextHop: number
  size: number
  deferred: number
  quota: Readonly<Partial<Record<QuotaName, number>>>
  spread: number
  seed: number
  json?: true
}>

const program = new Command('simulate')
  .description('Simulates a stage on AWS under load, in virtual time.')
  .option('--rate <messages>', 'messages a second', positive, 100)
  .option('--sweep', `instead of one rate: ${SWEEP.join(', ')}`)
  .option('--duration <seconds>', 'of virtual time', positive, 60)
  .option('--stage <name>', 'settings of deployments/<name>.ts instead of the defaults')
  .option(
    '--tasks <which>',
    'needed: as many as the rate needs; settings: scaled from the least',
    one('needed', 'settings'),
    'needed',
  )
  .option('--delivery <where>', 'fargate or lambda, instead of what the settings say', one('fargate', 'lambda'))
  .option('--latency <factor>', 'all latencies times this', positive, 1)
  .option('--next-hop <ms>', 'median time of a delivery attempt', positive, LATENCIES.nextHop.median)
  .option('--size <octets>', 'of a message; scanning grows with it', positive, 75_000)
  .option('--deferred <share>', 'of delivery attempts, 0 to 1', share, 0.02)
  .option('--quota <name=value>', `another quota; may be repeated: ${Object.keys(QUOTAS).join(', ')}`, quota, {})
  .option(
    '--spread <times>',
    'as if shards of indexes and prefixes of contents were so many times as many',
    positive,
    1,
  )
  .option('--seed <number>', 'for chance', Number, 1)
  .option('--json', 'print everything as JSON')

try {
  const options = program.parse().opts<Options>()
  const settings = await settingsFor(options)
  const steps = await askSteps()
  const { size, deferred, tasks, spread, seed, duration } = options
  const common: Omit<SimulationOptions, 'rate'> = {
    ...{ settings, steps, size, deferred, tasks, spread, seed, duration },
    quotas: quotasWith(options.quota),
    latencies: latenciesTimes(options.latency, nextHop(options.nextHop)),
  }
  const results: Result[] = []
  for (const rate of options.sweep ? SWEEP : [options.rate]) results.push(await simulate({ ...common, rate }))
  if (options.json) console.log(JSON.stringify(results))
  else console.log([formatResults(results), ...results.map(formatUsages)].join('\n\n'))
} catch (error) {
  const { exitCode, message } = exitFor(error)
  console.error(message)
  process.exitCode = exitCode
}

async function settingsFor({ stage, delivery }: Options): Promise<DeploymentSettings> {
  const settings = stage === undefined ? deploymentSettings(NAMES) : await stageSettings(stage)
  // Scanners that deliver, too, are simulated as tasks of either kind.
  const { runsOn } = settings.delivery
  return {
    ...settings,
    delivery: { ...settings.delivery, runsOn: delivery ?? (runsOn === 'lambda' ? runsOn : 'fargate') },
  }
}

function nextHop(median: number) {
  return { median, p99: (median * LATENCIES.nextHop.p99) / LATENCIES.nextHop.median }
}

function positive(text: string): number {
  const value = Number(text)
  if (Number.isFinite(value) && value > 0) return value
  throw new InvalidArgumentError('Expected a number above 0.')
}

function share(text: string): number {
  const value = Number(text)
  if (value >= 0 && value <= 1) return value
  throw new InvalidArgumentError('Expected a number from 0 to 1.')
}

function one<T extends string>(...allowed: readonly T[]): (text: string) => T {
  return text => {
    const found = allowed.find(each => each === text)
    if (found !== undefined) return found
    throw new InvalidArgumentError(`Expected ${allowed.join(' or ')}.`)
  }
}

function quota(text: string, before: Options['quota']): Options['quota'] {
  const [name = '', value = ''] = text.split('=')
  if (!(name in QUOTAS)) throw new InvalidArgumentError(`There is no quota ${name}.`)
  return { ...before, [name]: positive(value) }
}
