// What an accepted message costs the client of AWS: Elemta's way to S3, SQS and DynamoDB beside the SDK as it comes,
// interleaved, through emulators in a process of their own. Processor time is the client's alone; requests and connections
// are counted by a front before the emulators. Emulators are slower than AWS, so rates say nothing.
import { join } from 'node:path'
import type { Plan } from './accept.ts'
import type { Told } from './aws-emulators.ts'
import { type Outcome, type Task, WAYS, type Way } from './aws-ways.ts'
import { observe, untilQuiet } from './machine.ts'
import { freePort, run, start, untilAnswering } from './program.ts'
import { spread } from './samples.ts'
import { markdown } from './table.ts'

const SESSIONS = 50
const SIZE = 5 * 1024
const MESSAGES_PER_SECOND = 600
const MOST_TIMES_NAIVE = 0.35
const MOST_SENDS = 0.3

type Sample = Outcome & Readonly<{ way: Way; round: number; disturbed: boolean }>

export async function measureAwsAccept(plan: Plan) {
  const { rounds, seconds, patience, say } = plan
  const samples: Sample[] = []
  const messages = Math.round(MESSAGES_PER_SECOND * seconds)
  for (let round = 0; round < rounds; round++) {
    for (const way of round % 2 === 0 ? WAYS : WAYS.toReversed()) {
      await untilQuiet(patience)
      const sample = { ...(await measure(way, messages, plan)), way, round }
      say(`${way}: ${sample.cpu.toFixed(0)} µs${sample.disturbed ? ', disturbed' : ''}`)
      samples.push(sample)
    }
  }
  return { markdown: table(samples, messages), figures: samples }
}

async function measure(way: Way, messages: number, { directory }: Plan) {
  const [port, controlPort] = [await freePort(), await freePort()]
  const log = join(directory, 'aws-emulators.log')
  const program = (name: string) => join(import.meta.dirname, name)
  const arguments_ = [program('aws-emulators.ts'), String(port), String(controlPort)]
  const emulators = start('emulators', process.execPath, arguments_, { log })
  try {
    await untilAnswering(controlPort, { log })
    const control = `http://127.0.0.1:${controlPort}`
    const { place } = (await (await fetch(control)).json()) as Told
    const task: Task = { way, place, control, sessions: SESSIONS, messages, size: SIZE }
    const { result, disturbed } = await observe(() =>
      run(process.execPath, [program('aws-client.ts'), JSON.stringify(task)]),
    )
    return { ...(JSON.parse(result) as Outcome), disturbed }
  } finally {
    await emulators.stop()
  }
}

function table(samples: readonly Sample[], messages: number): string {
  const rows = WAYS.map(way => {
    const own = samples.filter(sample => sample.way === way)
    const each = (name: RegExp) =>
      spread(own.map(({ counts }) => requestsOf(counts.requests, name) / messages)).median.toFixed(2)
    const { median, min, max } = spread(own.map(({ cpu }) => cpu))
    return [
      way,
      `${median.toFixed(0)} (${min.toFixed(0)}–${max.toFixed(0)})`,
      timesNaive(samples, way),
      each(/^S3 PUT/),
      each(/^SendMessage/),
      each(/Item/),
      spread(own.map(({ counts }) => counts.connections)).median.toFixed(0),
      `${own.filter(({ disturbed }) => disturbed).length} of ${own.length}`,
    ]
  })
  const head = [
    `${SESSIONS} sessions, ${SIZE / 1024} KB`,
    'CPU µs/msg',
    `naive × (≤ ${MOST_TIMES_NAIVE})`,
    'PUT/msg (≤ 1)',
    `SQS sends/msg (≤ ${MOST_SENDS})`,
    'DynamoDB writes/msg (≤ 1)',
    'connections',
    'disturbed',
  ]
  return ['### Accepting on AWS: the client', '', ...markdown(head, rows), ''].join('\n')
}

function requestsOf(requests: Readonly<Record<string, number>>, name: RegExp): number {
  return Object.entries(requests).reduce((sum, [action, count]) => sum + (name.test(action) ? count : 0), 0)
}

/** Within rounds, beside the naive client that does the same. */
function timesNaive(samples: readonly Sample[], way: Way): string {
  if (!way.startsWith('Elemta')) return ''
  const anchor = way.replace('Elemta', 'naive')
  const ratios = samples.flatMap(sample => {
    if (sample.way !== way) return []
    const beside = samples.find(other => other.way === anchor && other.round === sample.round)
    return beside === undefined ? [] : [sample.cpu / beside.cpu]
  })
  const { median, min, max } = spread(ratios)
  return `${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`
}
