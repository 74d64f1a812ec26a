// Each service of AWS fails at each of the calls that a message makes on its way, in every way: for once, or from that
// call on until whoever called has given up. Whatever fails, the client hears 250 or 451; what it was promised arrives,
// once, or twice where the record tells of the doubt, and never while a claim stands; and then nothing is left.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isFinal } from '../../src/mail/record.ts'
import { silentLog } from '../../src/platform/log.ts'
import { sweepOrphans } from '../../src/spool/sweep-orphans.ts'
import { formatTrace } from '../../src/spool/trace.ts'
import { type NextHop, startNextHop } from '../deliver/next-hop.ts'
import type { Fate, FrontRequest } from '../storage/http-front.ts'
import { type Story, startStory } from './aws-story.ts'

type Service = 'S3' | 'SQS' | 'DynamoDB'
/** The how-manieth of its kind in a story. */
type Call = Readonly<{ what: string; nth: number }>
type Fault = Readonly<{ call: Call; fate: Fate; lasts: boolean }>

const DAY = 24 * 3_600_000
const MOST_ROUNDS = 8
const AT_A_TIME = 8
/** Milliseconds for all stories of one test. */
const PATIENCE = 120_000
/** Milliseconds for an answer that never comes. */
const SHORT = 1000
const error = (type: string) => JSON.stringify({ __type: `com.amazonaws#${type}`, message: 'Rate exceeded' })
const SLOW_DOWN = '<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce your rate</Message></Error>'

/** What each service says when it has too much to do. */
const THROTTLED: Readonly<Record<Service, Fate>> = {
  S3: { status: 503, body: SLOW_DOWN },
  SQS: { status: 400, body: error('RequestThrottled') },
  DynamoDB: { status: 400, body: error('ProvisionedThroughputExceededException') },
}
const FATES: Readonly<Record<string, (service: Service) => Fate>> = {
  throttles: service => THROTTLED[service],
  'answers 500': () => ({ status: 500 }),
  'does not answer': () => 'hang',
  'drops the connection': () => 'dropped',
  'does it, and its answer is lost': () => 'lost',
}

/** Once only, they are repeated by whoever asks AWS; the others are no different to him. */
const ONCE = ['answers 500', 'does it, and its answer is lost']

let nextHop: NextHop
let calls: Readonly<Record<Service, readonly Call[]>>
let stories = 0
beforeAll(async () => {
  nextHop = await startNextHop()
  calls = await callsOfOneStory()
})
afterAll(() => nextHop.close())

function serviceOf({ action }: FrontRequest): Service {
  if (action === '') return 'S3'
  return /Message/.test(action) ? 'SQS' : 'DynamoDB'
}

const whatOf = ({ action, method }: FrontRequest) => action || method

/** Nothing goes wrong; receives go on for as long as they bring nothing, so that only the first is a call of its own. */
async function callsOfOneStory(): Promise<Record<Service, Call[]>> {
  const story = await startStory({ nextHop: nextHop.url })
  const found: Record<Service, Call[]> = { S3: [], SQS: [], DynamoDB: [] }
  await story.accept('clean@example.com')
  await story.round()
  await story.close()
  const counts = new Map<string, number>()
  for (const request of story.front.requests) {
    const what = whatOf(request)
    const nth = (counts.get(what) ?? 0) + 1
    counts.set(what, nth)
    if (what !== 'ReceiveMessage' || nth === 1) found[serviceOf(request)].push({ what, nth })
  }
  return found
}

describe.each(['S3', 'SQS', 'DynamoDB'] as const)('%s', service => {
  test.each(Object.keys(FATES))(
    '%s at any call, and no mail is lost or doubled',
    async how => {
      const fate = FATES[how]!(service)
      const once = ONCE.includes(how) ? [false] : []
      const faults = calls[service].flatMap(call => [true, ...once].map(lasts => ({ call, fate, lasts })))
      const problems: string[] = []
      const next = async () => {
        for (let fault = faults.pop(); fault !== undefined; fault = faults.pop()) {
          const { what, nth } = fault.call
          const problem = await problemWith(service, fault)
          if (problem) problems.push(`${what} ${nth}, ${fault.lasts ? 'lasting' : 'once'}: ${problem}`)
        }
      }
      await Promise.all(Array.from({ length: AT_A_TIME }, next))
      expect(problems).toEqual([])
    },
    PATIENCE,
  )
})

/** What is wrong after a story with this fault; '' when all is well. */
async function problemWith(service: Service, fault: Fault): Promise<string> {
  const strike: Strike = { happened: false, isOn: false }
  const afterStep = () => {
    strike.isOn = false
  }
  const patience = fault.fate === 'hang' ? { answerTime: SHORT } : {}
  const story = await startStory({ nextHop: nextHop.url, afterStep, ...patience })
  story.front.decide(fateOf(service, fault, strike))
  try {
    const problem = await problemOf(story, `story-${++stories}@example.com`, fault)
    return problem || strike.happened ? problem : 'this call never came'
  } catch (error) {
    return `the story broke off: ${error}`
  } finally {
    await story.close()
  }
}

/** Whether the call came, and whether its service fails now. */
type Strike = { happened: boolean; isOn: boolean }

function fateOf(service: Service, { call, fate, lasts }: Fault, strike: Strike) {
  let seen = 0
  return (request: FrontRequest): Fate => {
    if (!strike.happened && whatOf(request) === call.what && ++seen === call.nth) {
      strike.happened = true
      strike.isOn = lasts
      return fate
    }
    return strike.isOn && serviceOf(request) === service ? fate : 'pass'
  }
}

async function problemOf(story: Story, recipient: string, { fate }: Fault): Promise<string> {
  const { looking } = story
  const refused: string[] = []
  let queueId = ''
  while (queueId === '') {
    const accepted = await story.accept(recipient)
    if (accepted.code === 250) queueId = accepted.queueId
    else refused.push(accepted.queueId)
    if (accepted.code !== 250 && accepted.code !== 451) return `the client heard ${accepted.code}`
    if (refused.length > 1) return 'the client heard 451 again'
  }
  const copies = (id: string) => nextHop.messages.filter(({ content }) => content.includes(id)).length
  // A content that could not be removed with the outcome is the sweep's.
  const isOver = async () => {
    const jobs = await Promise.all([queueId, ...refused].map(looking.hasJobs))
    const state = (await looking.records.get(queueId))?.recipients[0]?.state ?? 'queued'
    return !jobs.includes(true) && isFinal(state)
  }
  await story.round()
  for (let round = 2; !(await isOver()); round++) {
    if (round > MOST_ROUNDS) return `not at its end: ${formatTrace((await looking.records.get(queueId))!)}`
    await story.later()
    await story.round()
  }
  const { events = [], recipients = [] } = (await looking.records.get(queueId)) ?? {}
  const doubts = events.filter(({ event }) => event === 'in-doubt').length
  if (recipients[0]?.state !== 'delivered') return `it ended ${recipients[0]?.state}`
  if (copies(queueId) < 1 || copies(queueId) > 1 + doubts) return `${copies(queueId)} copies, ${doubts} doubts told`
  const isLeft = await looking.messages.has(queueId)
  if (isLeft || refused.length > 0) {
    await sweepOrphans({ backends: looking, now: () => story.now() + DAY, log: silentLog })
  }
  if (await looking.messages.has(queueId)) return 'the content is left'
  for (const id of refused) {
    // What AWS did and did not say may be delivered all the same; what it did not do is not there any more.
    if (await looking.messages.has(id)) return 'the content of what was refused is left'
    if (copies(id) > (fate === 'lost' ? 1 : 0)) return `${copies(id)} copies of what was refused`
  }
  const { accepted, states } = await looking.records.tally()
  const { delivered, deleted } = states
  return accepted === delivered + deleted ? '' : `${accepted} recipients, of whom ${JSON.stringify(states)}`
}
