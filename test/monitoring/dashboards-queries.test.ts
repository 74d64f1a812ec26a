// Every query of every panel, asked of a real Prometheus with the real rules: none is refused, and once mail flows none
// is empty. Windows and waits are shortened as in a drill; the week that baselines need is written into its database.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { type Prometheus, startPrometheus } from '../../local/drill/prometheus.ts'
import { type CheckedQuery, checkPanels, type PanelQuery, panelQueries } from '../../monitoring/panel-check.ts'
import { renderRules } from '../../monitoring/rules/render.ts'
import { DEFAULT_SETTINGS } from '../../monitoring/thresholds.ts'
import { silentLog } from '../../src/platform/log.ts'
import { startScrapeTarget } from './dashboards-scraped.ts'
import { BOARDS } from './dashboards-static.ts'
import { writeHistory } from './history.ts'

const SCALE = 0.01
const queries = panelQueries(BOARDS)

let dir: string
let target: Awaited<ReturnType<typeof startScrapeTarget>>
let prometheus: Prometheus

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'elemta-panels-'))
  execFileSync('chmod', ['755', dir])
  target = await startScrapeTarget()
  writeHistory(join(dir, 'prometheus', 'data'), SCALE)
  execFileSync('chmod', ['-R', 'a+rwX', join(dir, 'prometheus')])
  prometheus = await startPrometheus({ dir, files: configuration(target.port), log: silentLog })
})

afterAll(async () => {
  await prometheus?.stop()
  await target?.close()
  rmSync(dir, { recursive: true, force: true })
})

test('no panel is refused, and none is empty once mail flows', { timeout: 60_000 }, async () => {
  const found = new Map<PanelQuery, CheckedQuery>()
  const missing = () => queries.filter(query => found.get(query)?.state !== 'data')
  await expect
    .poll(
      async () => {
        const asked = missing()
        const answers = await checkPanels(prometheus.url, asked)
        for (const [index, query] of asked.entries()) found.set(query, answers[index]!)
        return missing().map(query => {
          const { dashboard, panel, state, detail, expr } = found.get(query)!
          return `${dashboard}: ${panel}: ${state}: ${detail}: ${expr}`
        })
      },
      { timeout: 50_000, interval: 1000 },
    )
    .toEqual([])
  expect(found.size).toBe(queries.length)
  expect(queries.length).toBeGreaterThan(200)
})

test('a query that cannot be, has nothing, or waits for days is told as that', async () => {
  const asked = (expr: string): PanelQuery => ({ dashboard: 'none', panel: 'none', panelId: 1, refId: 'A', expr })
  const answers = await checkPanels(prometheus.url, [
    asked('sum(rate(elemta_messages_received_total{instance=~"$instance"}[$__nonsense]))'),
    asked('elemta_no_such_metric{instance=~"$instance"}'),
    asked('elemta:no_such:zscore7d'),
    asked('0 / 0 * vector(1)'),
  ])
  expect(answers.map(({ state }) => state)).toEqual(['error', 'empty', 'too-young', 'empty'])
  expect(answers[0]!.detail).toContain('parse error')
  expect(answers[3]!.detail).toBe('only NaN')
})

test('an instance or a route that is not there leaves panels empty: the variables reach the queries', async () => {
  const ofInstance = queries.filter(({ expr }) => expr.includes('$instance') && !expr.includes('vector(0)'))
  const answers = await checkPanels(prometheus.url, ofInstance, { instance: 'nowhere:1' })
  expect(answers.filter(({ state }) => state === 'data').map(({ expr }) => expr)).toEqual([])
})

function configuration(port: number): Record<string, string> {
  const rules = renderRules({ ...DEFAULT_SETTINGS, timing: { scale: SCALE, evaluation_interval: 500 } })
  const job = (job_name: string, metrics_path: string) => ({
    job_name,
    metrics_path,
    static_configs: [{ targets: [`127.0.0.1:${port}`] }],
  })
  return {
    'prometheus.yml': stringify({
      global: { scrape_interval: '500ms', evaluation_interval: '500ms' },
      rule_files: ['rules/*.yml'],
      scrape_configs: [
        job('elemta', '/metrics'),
        job('clamav', '/metrics/clamav'),
        job('rspamd', '/rspamd'),
        job('alertmanager', '/alertmanager'),
      ],
    }),
    ...Object.fromEntries([...rules].map(([path, text]) => [path.replace('prometheus/', ''), text])),
  }
}
