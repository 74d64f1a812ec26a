// Pictures of dashboards, up to the page that the browser draws: what the values say, and that every panel is on it.
// The drawing itself needs Chromium, and is looked at by people.
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard'
import { expect, test } from 'vitest'
import { isPanel } from '../../monitoring/panel-check.ts'
import { rangeOf } from '../../monitoring/pictures/draw.ts'
import { pageOf } from '../../monitoring/pictures/page.ts'
import { lastOf, panelData, type Series } from '../../monitoring/pictures/panel-data.ts'
import { formatValue } from '../../monitoring/pictures/units.ts'
import { BOARDS, panelsOf } from './dashboards-static.ts'

test.each([
  [0.0123, 's', '12.3 ms'],
  [90, 's', '1.5 min'],
  [0, 's', '0 s'],
  [259_200, 's', '3 day'],
  [0.1234, 'percentunit', '12.3%'],
  [1, 'percentunit', '100%'],
  [0.0005, 'percentunit', '0.05%'],
  [3 * 2 ** 20, 'bytes', '3 MiB'],
  [0, 'short', '0'],
  [0.4, 'short', '0.4'],
  [1380, 'short', '1.38 K'],
  [1380.4, 'locale', '1,380'],
  [2.5, 'ops', '2.5 ops/s'],
  [1, 'bool_on_off', 'On'],
  [-0.87, 'none', '-0.87'],
])('%d in %s is %s', (value, unit, text) => {
  expect(formatValue(value, unit)).toBe(text)
})

test('a range ends on a step, and holds as many as a picture shows', () => {
  expect(rangeOf(600_000, 1_000_003)).toEqual({ from: 999_400, to: 1_000_000, step: 5 })
  const day = rangeOf(86_400_000, 1_000_000)
  expect(day.step).toBe(720)
  expect((day.to - day.from) / day.step).toBe(120)
})

test('series come with their legends, on the grid of the range, with holes where there is nothing', async () => {
  const values = [
    [1000, '1'],
    [1010, 'NaN'],
    [1020, '3'],
  ]
  const answer = { status: 'success', data: { result: [{ metric: { queue_type: 'deferred', job: 'x' }, values }] } }
  const server = createServer((request, response) =>
    request.resume().on('end', () => response.end(JSON.stringify(answer))),
  )
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const panel = panelsOf('elemta-dashboard').find(({ title }) => title === 'Queue size by type')!
  const [series] = await panelData(url, panel, { from: 1000, to: 1030, step: 10 })
  server.close()
  expect(series).toMatchObject({ name: 'deferred', values: [1, null, 3, null] })
  expect(lastOf(series!)).toBe(3)
})

test('every panel is on its page, with its values or with what it says without any', () => {
  const range = { from: 0, to: 600, step: 60 }
  for (const dashboard of BOARDS) {
    const panels = (dashboard.panels ?? []).filter(isPanel)
    const series = (panel: Panel): Series[] => [
      { name: panel.type, labels: { le: '1' }, values: Array.from({ length: 11 }, (_, index) => index) },
    ]
    const drawn = pageOf({ dashboard, data: new Map(panels.map(panel => [panel, series(panel)])), marks: [], range })
    const empty = pageOf({ dashboard, data: new Map(), marks: [], range })
    expect(drawn.html.match(/class="panel"/g)?.length).toBe(panels.length)
    expect(drawn.charts.length).toBe(panels.filter(({ type }) => type === 'timeseries').length)
    expect(drawn.html).not.toContain('class="nothing"')
    expect(empty.html.match(/class="nothing"/g)?.length).toBe(panels.length)
    expect(empty.charts).toEqual([])
  }
})

test('each dashboard has its picture', () => {
  const pictures = readdirSync(join(import.meta.dirname, '../../docs/img'))
  expect(pictures).toEqual(expect.arrayContaining(BOARDS.map(({ uid }) => `${uid}.png`)))
  for (const { uid } of BOARDS) {
    const picture = readFileSync(join(import.meta.dirname, `../../docs/img/${uid}.png`))
    expect(picture.subarray(1, 4).toString()).toBe('PNG')
  }
})
