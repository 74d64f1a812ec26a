// The format that knows exemplars, beside the plain one.
import { Counter, Gauge, Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { createMetrics } from '../../src/platform/metrics.ts'
import { formatOpenMetrics, wantsOpenMetrics } from '../../src/platform/openmetrics.ts'

/** As Prometheus sends it. */
const PROMETHEUS =
  'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1'

test.each([
  [PROMETHEUS, true],
  ['application/openmetrics-text', true],
  ['APPLICATION/OpenMetrics-Text; version=1.0.0', true],
  [undefined, false],
  ['*/*', false],
  ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', false],
  ['text/plain;version=0.0.4;q=1,application/openmetrics-text;q=0.3', false],
  ['application/openmetrics-text;q=0', false],
  ['text/plain;version=0.0.4', false],
])('Accept: %s', (accept, open) => {
  expect(wantsOpenMetrics(accept)).toBe(open)
})

describe('a latency', () => {
  test('shows the message that was last in each bucket, once one was', async () => {
    const metrics = createMetrics()
    metrics.acceptDuration.observe(0.003, { queueId: '01AAAAAAAAAAAAAAAAAA' })
    metrics.acceptDuration.observe(0.004, { queueId: '01BBBBBBBBBBBBBBBBBB' })
    metrics.acceptDuration.observe(1000, { queueId: '01CCCCCCCCCCCCCCCCCC' })
    metrics.acceptDuration.observe(0.2)
    const text = await formatOpenMetrics(metrics.registry)
    const buckets = text.split('\n').filter(line => line.startsWith('elemta_accept_duration_seconds_bucket'))
    expect(buckets.filter(line => line.includes('#'))).toEqual([
      expect.stringMatching(
        /^elemta_accept_duration_seconds_bucket\{le="0.005"\} 2 # \{queue_id="01B{18}"\} 0\.004 \d{10}\.?\d*$/,
      ),
      expect.stringMatching(
        /^elemta_accept_duration_seconds_bucket\{le="\+Inf"\} 4 # \{queue_id="01C{18}"\} 1000 \d{10}\.?\d*$/,
      ),
    ])
    expect(await metrics.registry.metrics()).not.toContain('queue_id')
  })

  test('with labels shows the message of each series apart', async () => {
    const metrics = createMetrics()
    metrics.canaryDuration.observe(0.3, { queueId: 'CLEAN', labels: { kind: 'clean' } })
    metrics.canaryDuration.observe(0.3, { queueId: 'EICAR', labels: { kind: 'eicar' } })
    const text = await formatOpenMetrics(metrics.registry)
    for (const kind of ['clean', 'eicar']) {
      const line = text.split('\n').find(line => line.includes(`kind="${kind}"`) && line.includes('le="0.5"'))
      expect(line).toContain(`# {queue_id="${kind.toUpperCase()}"} 0.3 `)
    }
  })
})

test('series have the same names and labels in both formats, whoever asks first, and at the same time', async () => {
  const { registry } = createMetrics({ process: true })
  const series = (text: string) => text.split('\n').flatMap(line => (/^[^#\n]+(?= \S+$)/.exec(line) ?? []).slice(0, 1))
  const [plain, open, again] = await Promise.all([registry.metrics(), formatOpenMetrics(registry), registry.metrics()])
  expect(series(plain).length).toBeGreaterThan(400)
  expect(series(open)).toEqual(series(plain))
  expect(series(again)).toEqual(series(plain))
  expect(series(await registry.metrics())).toEqual(series(plain))
  expect(open.endsWith('\n# EOF\n')).toBe(true)
})

test('a counter’s name is without _total, its samples are not; values and texts are escaped', async () => {
  const registry = new Registry()
  const labelNames = ['of']
  new Counter({ name: 'seen_total', help: 'A "quoted" \\ help', registers: [registry], labelNames }).inc({
    of: '"\\\n',
  })
  new Counter({ name: 'oddly_named', help: 'H', registers: [registry] })
  new Gauge({ name: 'unknown', help: 'H', registers: [registry] }).set(Number.NaN)
  expect(await formatOpenMetrics(registry)).toBe(
    [
      '# HELP seen A \\"quoted\\" \\\\ help',
      '# TYPE seen counter',
      'seen_total{of="\\"\\\\\\n"} 1',
      '# HELP oddly_named H',
      '# TYPE oddly_named unknown',
      'oddly_named 0',
      '# HELP unknown H',
      '# TYPE unknown gauge',
      'unknown NaN',
      '# EOF',
      '',
    ].join('\n'),
  )
})
