// What is kept for years: right over resets and without data, and made of metrics that exist.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { downsamplingRules, LONG_TERM, renderDownsampling } from '../../monitoring/downsampling.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { promtoolTest } from './promtool-test.ts'

const RULES = [...renderDownsampling().values()][0]!
const value = (expr: string, eval_time: string, ...values: number[]) => ({
  expr: `sum(${expr})`,
  eval_time,
  exp_samples: values.map(value => ({ labels: '{}', value })),
})
const of = (name: string, resolution: string) => `${LONG_TERM}:elemta_${name}{resolution="${resolution}"}`

describe('by promtool', () => {
  test('amounts of five minutes and of an hour, summed over instances, also over a restart', () => {
    const input_series = [
      { series: 'elemta_messages_received_total{instance="a"}', values: '0+60x120' },
      { series: 'elemta_messages_received_total{instance="b"}', values: '0+30x120' },
      { series: 'elemta_messages_tempfailed_total{instance="a",reason="room"}', values: '0+1x120' },
    ]
    promtoolTest(RULES, [
      {
        interval: '1m',
        input_series,
        promql_expr_test: [
          value(of('messages_received:increase', '5m'), '30m', 450),
          value(of('messages_received:increase', '1h'), '60m', 5400),
          value(of('messages_tempfailed:increase', '5m').replace('}', ',reason="room"}'), '30m', 5),
        ],
      },
      {
        interval: '1m',
        // From minute 33 on a new process: 120 until its start, 120 since.
        input_series: [{ series: 'elemta_messages_received_total', values: '0+60x32 0+60x60' }],
        promql_expr_test: [value(of('messages_received:increase', '5m'), '35m', 240)],
      },
    ])
  })

  test('the highest and the mean of a level; a percentile; the share of time that a job was up', () => {
    const bucket = (le: string, values: string) => ({
      series: `elemta_delivery_first_attempt_delay_seconds_bucket{le="${le}"}`,
      values,
    })
    promtoolTest(RULES, [
      {
        interval: '1m',
        input_series: [
          { series: 'elemta_queue_size{queue_type="deferred"}', values: '2x32 50 2x27' },
          { series: 'up{job="elemta",instance="a"}', values: '1x29 0x29 1' },
          bucket('1', '0+90x60'),
          bucket('60', '0+100x60'),
          bucket('+Inf', '0+100x60'),
        ],
        promql_expr_test: [
          value(of('queue_size:max', '5m'), '35m', 50),
          value(of('queue_size:max', '5m'), '45m', 2),
          value(`round(${of('queue_size:mean', '1h')}, 0.1)`, '60m', 2.8),
          value(of('delivery_first_attempt_delay_seconds:p95', '5m'), '35m', 30.5),
          value(`round(${LONG_TERM}:up:mean{resolution="1h",job="elemta"}, 0.1)`, '60m', 0.5),
        ],
      },
    ])
  })

  test('nothing is recorded of what there is not', () => {
    const nothing = [value(of('messages_received:increase', '5m'), '30m'), value(of('queue_size:max', '1h'), '60m')]
    promtoolTest(RULES, [
      { interval: '1m', input_series: [{ series: 'up', values: '1x60' }], promql_expr_test: nothing },
    ])
  })
})

test('every metric it reads exists', async () => {
  const known = (await createMetrics().registry.getMetricsAsJSON()).map(({ name }) => name)
  const read = downsamplingRules('5m').flatMap(({ expr }) => expr.match(/\belemta_[a-z0-9_]+/g) ?? [])
  expect(read.length).toBeGreaterThan(20)
  expect(read.map(name => name.replace(/_bucket$/, '')).filter(name => !known.includes(name))).toEqual([])
})

test('only these are few enough to be kept: none has a label that grows', () => {
  const text = readFileSync(join(import.meta.dirname, '../../monitoring/prometheus/rules/downsampling.yml'), 'utf8')
  const by = [...text.matchAll(/by \(([^)]+)\)/g)].map(([, labels]) => labels)
  expect([...new Set(by)].sort()).toEqual([
    'decision',
    'instance',
    'job',
    'le',
    'queue_type',
    'reason',
    'route',
    'type',
  ])
})
