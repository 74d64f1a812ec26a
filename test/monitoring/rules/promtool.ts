// Runs stories through Debian's promtool: for each rule a file with that rule and the recorded series that it needs,
// in the words in which they are shipped, and a file of tests. Two processes for all of them.
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { ruleFiles } from '../../../monitoring/rules/groups.ts'
import { annotationsOf, labelsOf, renderGroups } from '../../../monitoring/rules/render.ts'
import type { AlertRule, Rule } from '../../../monitoring/rules/rule.ts'
import { DEFAULT_SETTINGS } from '../../../monitoring/thresholds.ts'
import type { RuleStories, Story } from './story.ts'

const RULES = [...ruleFiles(DEFAULT_SETTINGS).values()].flat().flatMap(({ rules }) => rules)

/** The rule that the stories are of; undefined when there is none, or not one alone. */
export function ruleOf({ alert, severity, labels = {} }: RuleStories): AlertRule | undefined {
  const found = RULES.filter(
    (rule): rule is AlertRule =>
      rule.kind === 'alert' &&
      rule.name === alert &&
      rule.severity === severity &&
      JSON.stringify(rule.labels ?? {}) === JSON.stringify(labels),
  )
  return found.length === 1 ? found[0] : undefined
}

/** The recorded series that a rule reads, and what those read, in the order of evaluation. */
export function recordsFor({ expr }: Rule): Rule[] {
  const direct = RULES.filter(rule => rule.kind === 'record' && new RegExp(`${rule.name}\\b`).test(expr))
  const all = new Set(direct.flatMap(rule => [...recordsFor(rule), rule]))
  return RULES.filter(rule => all.has(rule))
}

/** Runs promtool; resolves with what it says when something is wrong, else with ''. */
export function promtool(...args: string[]): Promise<string> {
  return new Promise(resolve =>
    execFile('promtool', args, { maxBuffer: 2 ** 24, env: { ...process.env, GOGC: '800' } }, (error, _, stderr) =>
      resolve(error ? stderr || error.message : ''),
    ),
  )
}

/** What promtool finds wrong with the stories; '' when all are true. */
export async function tellAll(all: readonly RuleStories[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'elemta-rules-'))
  try {
    const files = all.map((stories, index) => {
      const rule = ruleOf(stories)
      if (!rule) throw new Error(`there is not one rule ${stories.alert} ${stories.severity}`)
      const name = `${index}-${stories.alert}`
      const groups = [
        { name: 'records', rules: recordsFor(rule) },
        { name: 'alerts', rules: [rule] },
      ]
      writeFileSync(join(folder, `${name}.rules.yml`), renderGroups(groups, DEFAULT_SETTINGS))
      writeFileSync(join(folder, `${name}.yml`), stringify(testFile(`${name}.rules.yml`, stories, rule)))
      return join(folder, `${name}.yml`)
    })
    const halves = [0, 1].map(half => files.filter((_, index) => index % 2 === half)).filter(({ length }) => length > 0)
    const wrong = await Promise.all(halves.map(half => promtool('test', 'rules', ...half)))
    return wrong.join('')
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function testFile(rules: string, stories: RuleStories, rule: AlertRule) {
  const interval = stories.every ?? '1m'
  const tests = Object.entries(stories.stories).flatMap(([kind, told]) =>
    told.map((story, index) => ({
      name: `${rule.name} ${rule.severity} ${kind} ${index}`,
      interval,
      input_series: Object.entries(story.series).map(([series, values]) => ({ series, values })),
      promql_expr_test: story.steps.map(([at, firing]) => ({
        // promtool shows the expression of what fails, so that says what it is about.
        expr: `ALERTS{alertstate="firing"} # ${rule.name} ${rule.severity} ${kind} ${index}`,
        eval_time: at,
        exp_samples: firing.map(labels => ({ labels: alertsSeries(rule, labels), value: 1 })),
      })),
      ...(kind === 'fires' && index === 0 && { alert_rule_test: texts(story, stories, rule) }),
    })),
  )
  return { rule_files: [rules], evaluation_interval: interval, group_eval_order: ['records', 'alerts'], tests }
}

function alertsSeries(rule: AlertRule, labels: Readonly<Record<string, string>>): string {
  const all = { alertname: rule.name, alertstate: 'firing', ...labelsOf(rule), ...labels }
  return `ALERTS{${Object.entries(all)
    .map(([name, value]) => `${name}="${value}"`)
    .join(', ')}}`
}

/** Labels and texts, word by word, of what fires first. */
function texts({ steps }: Story, { value = '', texts }: RuleStories, rule: AlertRule) {
  const [at, firing] = steps.find(([, firing]) => firing.length > 0)!
  return [
    {
      eval_time: at,
      alertname: rule.name,
      exp_alerts: firing.map(labels => {
        const read = (text: string) =>
          text
            .replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, (_, name) => labels[name] ?? '')
            .replaceAll(/\{\{ (?:\$value [^}]+|printf "[^"]+" \$value )\}\}/g, value)
        const { summary, description, ...links } = annotationsOf(rule, DEFAULT_SETTINGS.links)
        return {
          exp_labels: { ...labelsOf(rule), ...labels },
          exp_annotations: { summary: read(summary), description: read(description), ...texts, ...links },
        }
      }),
    },
  ]
}
