// Every alert, against Debian's promtool: it fires for what it is meant for, not at its boundary, ends when that is
// over, and neither missing series nor restarts fool it.
import { expect, test } from 'vitest'
import { alertRules } from '../../../monitoring/rules/groups.ts'
import { DEFAULT_SETTINGS } from '../../../monitoring/thresholds.ts'
import { ruleOf, tellAll } from './promtool.ts'
import { anomalyStories } from './stories-anomaly.ts'
import { availabilityStories } from './stories-availability.ts'
import { canaryStories } from './stories-canary.ts'
import { capacityStories } from './stories-capacity.ts'
import { saturationStories } from './stories-saturation.ts'
import { securityStories } from './stories-security.ts'
import { signatureStories } from './stories-signatures.ts'
import { sloStories } from './stories-slo.ts'
import { KINDS, type RuleStories } from './story.ts'

const ALL = [
  ...availabilityStories,
  ...canaryStories,
  ...saturationStories,
  ...capacityStories,
  ...securityStories,
  ...signatureStories,
  ...sloStories,
  ...anomalyStories,
]
/** It always fires, and so cannot do otherwise at a boundary. */
const ALWAYS = 'Watchdog'

test('promtool finds every story true', async () => {
  expect(await tellAll(ALL)).toBe('')
}, 120_000)

test('every alert rule has stories of every kind', () => {
  const rules = alertRules(DEFAULT_SETTINGS)
  expect(new Set(ALL.map(ruleOf))).toEqual(new Set(rules))
  expect(ALL).toHaveLength(rules.length)
  const empty = ALL.flatMap(({ alert, stories }) =>
    KINDS.filter(kind => stories[kind].length === 0).map(kind => `${alert} ${kind}`),
  )
  expect(empty).toEqual([])
  const told = ALL.flatMap(({ stories }) => KINDS.flatMap(kind => stories[kind]))
  const looks = told.flatMap(({ steps }) => steps).length
  const names = new Set(rules.map(({ name }) => name)).size
  console.log(`${names} alerts, ${rules.length} rules x ${KINDS.length} kinds: ${told.length} stories, ${looks} looks`)
})

test.each(ALL.filter(({ alert }) => alert !== ALWAYS))('stories of $alert ($severity) are of their kind', told => {
  expect(firing(told, 'fires').every(counts => counts.at(-1)! > 0)).toBe(true)
  expect(firing(told, 'boundary').flat()).not.toContain(1)
  expect(firing(told, 'resolves').every(counts => counts.at(0)! > 0 && counts.at(-1) === 0)).toBe(true)
})

/** How many fire at each step of each story. */
function firing({ stories }: RuleStories, kind: (typeof KINDS)[number]): number[][] {
  return stories[kind].map(({ steps }) => steps.map(([, firing]) => firing.length))
}
