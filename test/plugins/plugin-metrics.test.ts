// A plugin's own metrics on the common registry.
import { expect, test } from 'vitest'
import { createMetrics } from '../../src/platform/metrics.ts'
import { createPluginMetrics } from '../../src/plugins/plugin-metrics.ts'

async function samples(registry: ReturnType<typeof createMetrics>['registry']): Promise<string[]> {
  return (await registry.metrics()).split('\n').filter(line => line.startsWith('elemta_plugin_my_check_'))
}

test('they carry the plugin’s name, stand at zero from the start, and count', async () => {
  const { registry } = createMetrics()
  const metrics = createPluginMetrics(registry, './my-check')
  const asked = metrics.counter('asked_total', 'Questions')
  const answers = metrics.counterBy('answers_total', 'Answers', { label: 'answer', values: ['yes', 'no'] })
  const waiting = metrics.gauge('waiting', 'Questions without an answer')
  expect(await samples(registry)).toEqual([
    'elemta_plugin_my_check_asked_total 0',
    'elemta_plugin_my_check_answers_total{answer="yes"} 0',
    'elemta_plugin_my_check_answers_total{answer="no"} 0',
    'elemta_plugin_my_check_waiting 0',
  ])
  asked.inc()
  answers.inc('no', 2)
  waiting.set(3)
  expect(await samples(registry)).toEqual([
    'elemta_plugin_my_check_asked_total 1',
    'elemta_plugin_my_check_answers_total{answer="yes"} 0',
    'elemta_plugin_my_check_answers_total{answer="no"} 2',
    'elemta_plugin_my_check_waiting 3',
  ])
})

test('the same again, as after a reload, goes on counting where it was', async () => {
  const { registry } = createMetrics()
  const make = () => {
    const metrics = createPluginMetrics(registry, 'my-check')
    metrics.histogram('seconds', 'How long', [1]).observe(0.5)
    metrics.counterBy('answers_total', 'Answers', { label: 'answer', values: ['yes'] }).inc('yes')
  }
  make()
  make()
  expect(await samples(registry)).toEqual([
    'elemta_plugin_my_check_seconds_bucket{le="1"} 2',
    'elemta_plugin_my_check_seconds_bucket{le="+Inf"} 2',
    'elemta_plugin_my_check_seconds_sum 1',
    'elemta_plugin_my_check_seconds_count 2',
    'elemta_plugin_my_check_answers_total{answer="yes"} 2',
  ])
})

test('a name that Prometheus refuses is an error at the start', () => {
  const metrics = createPluginMetrics(createMetrics().registry, 'my-check')
  expect(() => metrics.counter('how many?', 'Questions')).toThrow(/metric name/i)
})
