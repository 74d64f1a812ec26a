// Error budgets: they burn when the long and the short window say so, with enough traffic, and with more than a
// message or two gone wrong.
import { hold, NONE, ONE, type RuleStories, type Series, type Story } from './story.ts'

/** Counters after so many bad events of all, at each sample. */
type Events = (bad: readonly number[], all: readonly number[]) => Series

const accept: Events = (bad, all) => ({
  'elemta_messages_tempfailed_total{instance="a",reason="storage"}': bad.join(' '),
  'elemta_messages_received_total{instance="a"}': all.map((count, index) => count - bad[index]!).join(' '),
  // By whose doing is what counts: these are meant so.
  'elemta_messages_tempfailed_total{instance="a",reason="policy"}': all.join(' '),
})
const timeliness: Events = (bad, all) => ({
  'elemta_delivery_first_attempt_delay_seconds_bucket{instance="a",le="60"}': all
    .map((count, index) => count - bad[index]!)
    .join(' '),
  'elemta_delivery_first_attempt_delay_seconds_count{instance="a"}': all.join(' '),
})
const scanCoverage: Events = (bad, all) => ({
  'elemta_unscanned_messages_total{instance="a"}': bad.join(' '),
  'elemta_verdicts_total{decision="deliver",instance="a"}': all.join(' '),
  'elemta_verdicts_total{decision="quarantine",instance="a"}': all.join(' '),
})

/** A counter: for each part so many samples, with so much more at each. */
function counting(...parts: readonly (readonly [samples: number, more: number])[]): number[] {
  let total = 0
  return parts.flatMap(([samples, more]) => Array.from({ length: samples }, () => (total += more)))
}

/** `every` in minutes; `short`: samples until the short windows have forgotten; `few` of all, which are too few. */
function burning(
  events: Events,
  {
    limit,
    over,
    every,
    short,
    few,
  }: Readonly<{
    limit: readonly [bad: number, all: number]
    over: readonly [bad: number, all: number]
    every: number
    short: number
    few: number
  }>,
): RuleStories['stories'] {
  const told = (series: Series, ...steps: Story['steps']): Story => ({ series, steps })
  const at = (sample: number) => `${sample * every}m`
  const run = ([bad, all]: readonly [number, number], samples: number) =>
    events(counting([samples, bad]), counting([samples, all]))
  const again = ([bad, all]: readonly [number, number], samples: number) => {
    const [one, two] = [counting([samples, bad]), counting([samples, all])]
    return events([...one, ...one], [...two, ...two])
  }
  const [bad, all] = over
  return {
    fires: [told(run(over, 10), [at(1), NONE], [at(2), ONE])],
    boundary: [
      told(run(limit, 100), [at(10), NONE], [at(99), NONE]),
      // All goes wrong, but of little.
      told(run([few, few], 100), [at(30), NONE], [at(99), NONE]),
      // Two of some went wrong.
      told(
        events(counting([5, 0], [2, 1], [5, 0]), counting([12, Math.ceil((200 * all) / Math.max(all, 1) / 12)])),
        [at(7), NONE],
        [at(8), NONE],
        [at(11), NONE],
      ),
    ],
    // The long window remembers; the short one sees that it is over.
    resolves: [
      told(
        events(counting([20, bad], [short + 10, 0]), counting([short + 30, all])),
        [at(19), ONE],
        [at(19 + short + 3), NONE],
      ),
    ],
    absent: [told({}, [at(10), NONE]), told(run([0, 0], 40), [at(30), NONE])],
    restart: [
      told(again(over, 20), [at(19), ONE], [at(21), ONE], [at(30), ONE]),
      told(again([0, all], 20), [at(21), NONE], [at(30), NONE]),
    ],
  }
}

const page = { every: 1, short: 30 } as const
const ticket = { every: 30, short: 12 } as const

const LEDGER = 'elemta_ledger_imbalance{instance="a"}'
const ledger = (values: string, ...steps: Story['steps']): Story => ({ series: { [LEDGER]: values }, steps })

export const sloStories: readonly RuleStories[] = [
  {
    alert: 'AcceptErrorBudgetBurn',
    severity: 'critical',
    value: '2%',
    stories: burning(accept, { ...page, limit: [6, 1000], over: [20, 1000], few: 0.4 }),
  },
  {
    alert: 'AcceptErrorBudgetBurn',
    severity: 'warning',
    value: '0.2%',
    stories: burning(accept, { ...ticket, limit: [1, 1000], over: [2, 1000], few: 0.4 }),
  },
  {
    alert: 'TimelinessErrorBudgetBurn',
    severity: 'critical',
    value: '20%',
    stories: burning(timeliness, { ...page, limit: [60, 1000], over: [200, 1000], few: 0.4 }),
  },
  {
    alert: 'TimelinessErrorBudgetBurn',
    severity: 'warning',
    value: '2%',
    stories: burning(timeliness, { ...ticket, limit: [10, 1000], over: [20, 1000], few: 0.4 }),
  },
  {
    alert: 'ScanCoverageErrorBudgetBurn',
    severity: 'critical',
    value: '1%',
    stories: burning(scanCoverage, { ...page, limit: [6, 10_000], over: [10, 1000], few: 0.4 }),
  },
  {
    alert: 'ScanCoverageErrorBudgetBurn',
    severity: 'warning',
    value: '0.02%',
    stories: burning(scanCoverage, { ...ticket, limit: [1, 10_000], over: [2, 10_000], few: 0.4 }),
  },
  {
    alert: 'LossErrorBudgetBurn',
    severity: 'critical',
    value: '9.836%',
    stories: {
      // More than 7.2 % of an hour: five minutes.
      fires: [ledger(`${hold(0, 361)} ${hold(-2, 20)}`, ['365m', NONE], ['366m', ONE])],
      boundary: [
        ledger(`${hold(0, 361)} ${hold(3, 4)} ${hold(0, 40)}`, ['365m', NONE], ['366m', NONE], ['380m', NONE]),
      ],
      resolves: [ledger(`${hold(0, 361)} ${hold(3, 20)} ${hold(0, 60)}`, ['380m', ONE], ['420m', NONE])],
      absent: [{ series: {}, steps: [['60m', NONE]] }],
      restart: [ledger(`${hold(0, 60)} stale _x5 ${hold(0, 60)}`, ['61m', NONE], ['100m', NONE])],
    },
  },
  {
    alert: 'LossErrorBudgetBurn',
    severity: 'warning',
    every: '10m',
    value: '2.759%',
    stories: {
      // More than 1.5 % of a day: 22 minutes.
      fires: [ledger(`${hold(0, 433)} ${hold(1, 10)}`, ['4350m', NONE], ['4360m', ONE])],
      boundary: [ledger(`${hold(0, 433)} ${hold(1, 2)} ${hold(0, 10)}`, ['4350m', NONE], ['4360m', NONE])],
      resolves: [ledger(`${hold(0, 433)} ${hold(1, 8)} ${hold(0, 50)}`, ['4390m', ONE], ['4780m', NONE])],
      absent: [{ series: {}, steps: [['100m', NONE]] }],
      restart: [ledger(`${hold(0, 20)} stale ${hold(0, 20)}`, ['210m', NONE], ['300m', NONE])],
    },
  },
].map(stories => (stories.severity === 'warning' ? { every: '30m', ...stories } : stories) as RuleStories)
