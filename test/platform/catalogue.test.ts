// The catalogue of metrics, held to what Prometheus and its users expect of names, and to itself.
import { expect, test } from 'vitest'
import { CATALOGUE, GROUPS } from '../../src/platform/catalogue/catalogue.ts'
import { createMetrics } from '../../src/platform/metrics.ts'

const all = GROUPS.flatMap(({ group }) => Object.values(group))

test('every metric is there once, in a group that the documentation shows', () => {
  const names = all.map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
  for (const { name } of Object.values(CATALOGUE)) expect(names).toContain(name)
})

test.each(all.map(definition => [definition.name, definition] as const))(
  '%s is named as Prometheus asks for and says what a spike means',
  (name, { type, help, spike, labels = {} }) => {
    expect(name).toMatch(/^(elemta|clamav)(_[a-z0-9]+)+$/)
    expect(name.endsWith('_total')).toBe(type === 'counter')
    expect(help).toMatch(/[^.]$/)
    expect(spike).toMatch(/\.$/)
    expect(`${help}${spike}`).not.toMatch(/[|\n]/)
    for (const [label, values] of Object.entries(labels)) {
      expect(label).toMatch(/^[a-z_]+$/)
      if (Array.isArray(values)) expect(new Set(values).size).toBe(values.length)
    }
  },
)

test('what has its values listed stands at zero from the start', async () => {
  const text = await createMetrics().registry.metrics()
  for (const { name, type, labels = {} } of all.filter(({ name }) => name.startsWith('elemta_'))) {
    const lists = Object.entries(labels)
    if (!lists.every(([, values]) => Array.isArray(values))) continue
    const series = lists.reduce(
      (before, [label, values]) =>
        before.flatMap(pairs => (values as string[]).map(value => [...pairs, `${label}="${value}"`])),
      [[]] as string[][],
    )
    for (const pairs of series) {
      const of = pairs.length === 0 ? '' : `{${pairs.join(',')}}`
      expect(text, name).toContain(`\n${name}${type === 'histogram' ? '_count' : ''}${of} 0\n`)
    }
  }
})
