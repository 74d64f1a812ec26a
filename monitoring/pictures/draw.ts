// Draws the dashboards as pictures, from the rendered JSON and a Prometheus that has data: `npm run pictures`.
//   node monitoring/pictures/draw.ts --prometheus URL [--range 30m] [--until TIME] [--out docs/img] [--dashboard UID]
// The browser is the machine's Chromium (Debian: chromium), without a network: the page brings all with it.
// It says which panels show no data, and still draws them, as Grafana would.
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Dashboard, Panel } from '@grafana/grafana-foundation-sdk/dashboard'
import { type Browser, chromium } from 'playwright-core'
import { parseDuration } from '../../src/platform/config-units.ts'
import { isPanel } from '../panel-check.ts'
import { drawCharts } from './chart.ts'
import { type Page, pageOf, WIDTH } from './page.ts'
import { annotationTimes, lastOf, panelData, type Series, type TimeRange } from './panel-data.ts'
import { formatValue } from './units.ts'

const ROOT = join(import.meta.dirname, '../..')
const DASHBOARDS = join(ROOT, 'monitoring/grafana/dashboards')
const UPLOT = join(ROOT, 'node_modules/uplot/dist')
const POINTS = 120

/** Draws one dashboard to `file`; resolves with the titles of the panels without data. */
export async function drawDashboard(
  browser: Browser,
  dashboard: Dashboard,
  { prometheusUrl, range, file }: Readonly<{ prometheusUrl: string; range: TimeRange; file: string }>,
): Promise<string[]> {
  const data = new Map<Panel, readonly Series[]>()
  for (const panel of (dashboard.panels ?? []).filter(isPanel)) {
    data.set(panel, await panelData(prometheusUrl, panel, range))
  }
  const marks = await annotationTimes(prometheusUrl, dashboard, range)
  await screenshot(browser, pageOf({ dashboard, data, marks, range }), file)
  return [...data].flatMap(([{ title = '' }, series]) =>
    series.every(one => Number.isNaN(lastOf(one))) ? [title] : [],
  )
}

/** The machine's Chromium, quiet and without a network of its own. */
export const startBrowser = (executablePath: string): Promise<Browser> =>
  chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking'],
  })

/** The last `milliseconds` until `until` (seconds since 1970), in steps that a picture can show. */
export function rangeOf(milliseconds: number, until: number): TimeRange {
  const step = Math.max(5, Math.round(milliseconds / 1000 / POINTS))
  const to = Math.floor(until / step) * step
  return { from: to - Math.floor(milliseconds / 1000 / step) * step, to, step }
}

async function screenshot(browser: Browser, { html, height, charts }: Page, file: string): Promise<void> {
  const page = await browser.newPage({ viewport: { width: WIDTH, height } })
  try {
    await page.route('**/*', route => route.abort())
    await page.setContent(html)
    await page.addStyleTag({ content: readFileSync(join(UPLOT, 'uPlot.min.css'), 'utf8') })
    await page.addScriptTag({ content: readFileSync(join(UPLOT, 'uPlot.iife.min.js'), 'utf8') })
    await page.addScriptTag({ content: `${formatValue}` })
    await page.evaluate(drawCharts, charts)
    // uPlot draws in a microtask after its construction; a frame later all is there.
    await page.evaluate('new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))')
    await page.screenshot({ path: file })
  } finally {
    await page.close()
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      prometheus: { type: 'string', default: 'http://127.0.0.1:9090' },
      range: { type: 'string', default: '30m' },
      until: { type: 'string' },
      out: { type: 'string', default: join(ROOT, 'docs/img') },
      dashboard: { type: 'string' },
      chromium: { type: 'string', default: '/usr/bin/chromium' },
    },
  })
  const until = values.until === undefined ? Date.now() : Date.parse(values.until)
  const range = rangeOf(parseDuration(values.range), until / 1000)
  mkdirSync(values.out, { recursive: true })
  const browser = await startBrowser(values.chromium)
  let empty = 0
  try {
    for (const name of readdirSync(DASHBOARDS).filter(file => file.endsWith('.json'))) {
      const dashboard = JSON.parse(readFileSync(join(DASHBOARDS, name), 'utf8')) as Dashboard
      if (values.dashboard !== undefined && dashboard.uid !== values.dashboard) continue
      const file = join(values.out, `${dashboard.uid}.png`)
      const without = await drawDashboard(browser, dashboard, { prometheusUrl: values.prometheus, range, file })
      console.log(`${file}${without.length > 0 ? `  no data: ${without.join(', ')}` : ''}`)
      empty += without.length
    }
  } finally {
    await browser.close()
  }
  if (empty > 0) console.log(`${empty} panels without data`)
  return 0
}

if (import.meta.main) process.exitCode = await main()
