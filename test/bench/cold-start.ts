// How long a function takes from nothing: a process of Node that loads its bundle and, of `deliver`, answers an event
// without messages, which opens the configuration and the clients but asks AWS nothing. Lambda's own part is not in it.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { bundle, FUNCTIONS } from '../../scripts/bundle.ts'
import type { Plan } from './accept.ts'

const STARTS_PER_ROUND = 5

const QUEUE = 'https://sqs.eu-central-1.amazonaws.com/111111111111/jobs'
const CONFIGURATION = `hostname: mx.example.com
storage:
  home: aws
  aws: { region: eu-central-1, bucket: mail, records_table: records, policy_table: policy, scan_queue: "${QUEUE}", delivery_queue: "${QUEUE}" }
`

export async function measureColdStart({ directory, rounds, say }: Plan) {
  const figures = []
  for (const name of FUNCTIONS) {
    const { file, size } = bundle(name, join(directory, 'bundles'))
    const times: number[] = []
    for (let start = 0; start < rounds * STARTS_PER_ROUND; start++) times.push(await coldStart(name, file))
    const sorted = times.toSorted((a, b) => a - b)
    figures.push({
      name,
      kilobytes: Math.ceil(size / 1000),
      median: sorted[sorted.length >> 1]!,
      worst: sorted.at(-1)!,
    })
    say(`${name}: ${sorted[sorted.length >> 1]} ms`)
  }
  const rows = figures.map(
    ({ name, kilobytes, median, worst }) => `| \`${name}\` | ${kilobytes} | ${median} | ${worst} |\n`,
  )
  const markdown = `| function | KB | from nothing, ms (median) | worst |\n| --- | ---: | ---: | ---: |\n${rows.join('')}`
  return { markdown, figures }
}

/** Milliseconds from the start of the process, as it says itself. */
async function coldStart(name: string, file: string): Promise<number> {
  const event = name === 'deliver' ? 'await handler({ Records: [] }, { getRemainingTimeInMillis: () => 60000 });' : ''
  const code = `const { handler } = await import(${JSON.stringify(file)}); ${event}
    process.stdout.write(String(Math.round(performance.now())), () => process.exit(0))`
  const env = { ...process.env, ELEMTA_CONFIG_YAML: CONFIGURATION, NODE_COMPILE_CACHE: '' }
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code], { env })
  return Number(stdout)
}
