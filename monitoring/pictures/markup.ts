// Panels that are no line charts, as HTML: stat, bar gauge, table and heatmap in simple forms.
import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard'
import { BLUE, FAINT, namedColor, seriesColor, TEXT, thresholdColor } from './colors.ts'
import { lastOf, type Series, type TimeRange } from './panel-data.ts'
import { formatValue } from './units.ts'

export const escapeHtml = (text: string) => text.replace(/[&<>"]/g, character => `&#${character.charCodeAt(0)};`)

const unitOf = (panel: Panel) => panel.fieldConfig?.defaults?.unit ?? 'short'
const decimalsOf = (panel: Panel) => panel.fieldConfig?.defaults?.decimals
const show = (panel: Panel, value: number) =>
  escapeHtml(mapped(panel, value)?.text ?? formatValue(value, unitOf(panel), decimalsOf(panel)))

/** What a panel says in place of a value, and in which colour. */
function mapped(panel: Panel, value: number): { text?: string; color?: string } | undefined {
  const tables = (panel.fieldConfig?.defaults?.mappings ?? []).filter(({ type }) => type === 'value')
  return tables
    .map(({ options }) => (options as Record<string, { text?: string; color?: string }>)[value])
    .find(Boolean)
}

const colorOf = (panel: Panel, value: number) => {
  const color = mapped(panel, value)?.color
  return color === undefined ? thresholdColor(panel, value) : namedColor(color)
}
const colored = (panel: Panel) => panel.fieldConfig?.defaults?.color?.mode === 'thresholds'

/** What stands in a panel without data. */
export const nothing = (panel: Panel) =>
  `<div class="nothing">${escapeHtml(panel.fieldConfig?.defaults?.noValue ?? 'No data')}</div>`

/** One big value per series, with its course behind it. */
export function statMarkup(panel: Panel, series: readonly Series[]): string {
  const plain = (panel.options as { colorMode?: string } | undefined)?.colorMode === 'none'
  const cells = series.map(one => {
    const value = lastOf(one)
    const color = plain && mapped(panel, value) === undefined ? TEXT : colorOf(panel, value)
    const name = series.length > 1 ? `<div class="name">${escapeHtml(one.name)}</div>` : ''
    const size = Math.min(30, 150 / Math.max(4, show(panel, value).length))
    return `<div class="stat">${sparkline(one, plain ? BLUE : color)}${name}<div class="value" style="color:${color};font-size:${series.length > 2 ? size * 0.75 : size}px">${show(panel, value)}</div></div>`
  })
  return `<div class="stats">${cells.join('')}</div>`
}

function sparkline({ values }: Series, color: string): string {
  const known = values.filter(value => value !== null)
  if (known.length < 2) return ''
  const [low, high] = [Math.min(0, ...known), Math.max(...known)]
  const y = (value: number) => (high === low ? 39 : 39 - (37 * (value - low)) / (high - low))
  const points = values.flatMap((value, index) =>
    value === null ? [] : [`${((100 * index) / (values.length - 1)).toFixed(2)},${y(value).toFixed(2)}`],
  )
  const [first, last] = [points[0]!.split(',')[0], points.at(-1)!.split(',')[0]]
  return `<svg class="spark" viewBox="0 0 100 40" preserveAspectRatio="none"><polygon points="${first},40 ${points.join(' ')} ${last},40" fill="${color}" opacity="0.12"/><polyline points="${points.join(' ')}" fill="none" stroke="${color}" stroke-width="1.2" vector-effect="non-scaling-stroke" opacity="0.7"/></svg>`
}

/** One bar per series. */
export function barsMarkup(panel: Panel, series: readonly Series[]): string {
  const rows = series.map((one, index) => ({ name: one.name, value: lastOf(one), index }))
  const largest = Math.max(...rows.map(({ value }) => value), Number.MIN_VALUE)
  const lines = rows.map(({ name, value, index }) => {
    const color = colored(panel) ? thresholdColor(panel, value) : seriesColor(index)
    const width = Math.max(0.5, (100 * value) / largest)
    return `<div class="bar"><span class="label">${escapeHtml(name)}</span><span class="track"><span class="fill" style="width:${width}%;background:linear-gradient(90deg,${color}55,${color})"></span></span><span class="number" style="color:${color}">${show(panel, value)}</span></div>`
  })
  return `<div class="bars">${lines.join('')}</div>`
}

type Organize = { id: string; options: { renameByName?: Record<string, string> } }

/** The newest value of each series as a row. */
export function tableMarkup(panel: Panel, series: readonly Series[]): string {
  const transformations = (panel.transformations ?? []) as Organize[]
  const columns = Object.entries(transformations.find(({ id }) => id === 'organize')?.options.renameByName ?? {})
  const cell = (one: Series, label: string) =>
    label === 'Value'
      ? `<td class="number">${show(panel, lastOf(one))}</td>`
      : `<td>${escapeHtml(one.labels[label] ?? '')}</td>`
  const rows = series.map(one => `<tr>${columns.map(([label]) => cell(one, label)).join('')}</tr>`)
  const head = columns.map(([, heading]) => `<th>${escapeHtml(heading)}</th>`).join('')
  return `<table><thead><tr>${head}</tr></thead><tbody>${rows.join('')}</tbody></table>`
}

/** Buckets over time: what fell into each since the step before, the brighter the more. */
export function heatmapMarkup(panel: Panel, series: readonly Series[], range: TimeRange): string {
  const buckets = series
    .map(one => ({ le: Number(one.labels.le === '+Inf' ? 'Infinity' : one.labels.le), values: one.values }))
    .sort((a, b) => a.le - b.le)
  const counts = buckets.map(({ values }, row) =>
    values.map((value, column) =>
      Math.max(0, (value ?? 0) - (row === 0 ? 0 : (buckets[row - 1]!.values[column] ?? 0))),
    ),
  )
  const most = Math.max(...counts.flat())
  const used = counts.flatMap((row, index) => (row.some(value => value > most / 1000) ? [index] : []))
  const [low, high] = [Math.max(0, (used[0] ?? 0) - 1), Math.min(counts.length - 1, (used.at(-1) ?? 0) + 1)]
  const shown = counts.slice(low, high + 1)
  const [width, height] = [100 / (shown[0]?.length ?? 1), 100 / shown.length]
  const cells = shown.flatMap((row, index) =>
    row.flatMap((value, column) =>
      value <= most / 1000
        ? []
        : [
            `<rect x="${(column * width).toFixed(3)}" y="${(100 - (index + 1) * height).toFixed(3)}" width="${width.toFixed(3)}" height="${(height * 0.94).toFixed(3)}" fill="hsl(${Math.round(28 - 6 * Math.sqrt(value / most))} 95% ${Math.round(18 + 44 * Math.sqrt(value / most))}%)"/>`,
          ],
    ),
  )
  const every = Math.ceil(shown.length / 8)
  const labels = shown.flatMap((_, index) => {
    const { le } = buckets[low + index]!
    return index % every === 0
      ? [`<span style="bottom:${index * height + height / 2}%">${escapeHtml(formatValue(le, unitOf(panel)))}</span>`]
      : []
  })
  const clock = (time: number) => new Date(time * 1000).toISOString().slice(11, 16)
  const times = [0, 0.25, 0.5, 0.75, 1].map(
    part => `<span style="left:${part * 100}%">${clock(range.from + part * (range.to - range.from))}</span>`,
  )
  return `<div class="heat" style="color:${FAINT}"><div class="y">${labels.join('')}</div><svg viewBox="0 0 100 100" preserveAspectRatio="none">${cells.join('')}</svg><div class="x">${times.join('')}</div></div>`
}
