// A dashboard as a page: Grafana's grid of 24 columns in its dark theme, panels where their gridPos says.
import type { Dashboard, Panel, RowPanel } from '@grafana/grafana-foundation-sdk/dashboard'
import { isPanel } from '../panel-check.ts'
import { type Chart, chartOf } from './chart.ts'
import { BORDER, FAINT, PAGE, PANEL, seriesColor, TEXT } from './colors.ts'
import { barsMarkup, escapeHtml, heatmapMarkup, nothing, statMarkup, tableMarkup } from './markup.ts'
import { lastOf, type Series, type TimeRange } from './panel-data.ts'
import { formatValue } from './units.ts'

export const WIDTH = 1600
const [MARGIN, TOP, LINE, GAP] = [12, 56, 30, 8]
const COLUMN = (WIDTH - 2 * MARGIN + GAP) / 24
const TITLE = 30
const LEGEND_LINE = 18

export type Page = Readonly<{ html: string; height: number; charts: readonly Chart[] }>
type Input = Readonly<{
  dashboard: Dashboard
  data: ReadonlyMap<Panel, readonly Series[]>
  marks: Chart['marks']
  range: TimeRange
}>

export function pageOf({ dashboard, data, marks, range }: Input): Page {
  const charts: Chart[] = []
  const parts = (dashboard.panels ?? []).map(panel => {
    const box = place(panel)
    const style = `left:${box.left}px;top:${box.top}px;width:${box.width}px;height:${box.height}px`
    if (!isPanel(panel)) return `<div class="row" style="${style}">⌄&ensp;${escapeHtml(panel.title ?? '')}</div>`
    const series = data.get(panel) ?? []
    const content = body(panel, series, box)
    return `<div class="panel" style="${style}"><div class="title">${escapeHtml(panel.title ?? '')}</div>${content}</div>`
  })

  function body(panel: Panel, series: readonly Series[], box: Box): string {
    if (series.every(one => Number.isNaN(lastOf(one)))) return nothing(panel)
    switch (panel.type) {
      case 'stat':
        return statMarkup(panel, series)
      case 'bargauge':
        return barsMarkup(panel, series)
      case 'table':
        return tableMarkup(panel, series)
      case 'heatmap':
        return heatmapMarkup(panel, series, range)
      case 'timeseries': {
        const element = `chart-${panel.id}`
        const legend = legendMarkup(panel, series, box.width)
        const height = box.height - TITLE - legend.lines * LEGEND_LINE - 12
        charts.push(chartOf(panel, series, range, marks, { element, width: box.width - 10, height }))
        return `<div id="${element}" class="chart"></div>${legend.html}`
      }
      default:
        throw new Error(`no picture of a panel of the type ${panel.type}`)
    }
  }

  const height = Math.max(...(dashboard.panels ?? []).map(panel => place(panel).top + place(panel).height)) + MARGIN
  return { html: documentOf(dashboard, parts.join('\n'), range), height, charts }
}

type Box = Readonly<{ left: number; top: number; width: number; height: number }>

function place({ gridPos }: Panel | RowPanel): Box {
  const { x, y, w, h } = gridPos!
  return {
    left: Math.round(MARGIN + x * COLUMN),
    top: TOP + y * (LINE + GAP),
    width: Math.round(w * COLUMN - GAP),
    height: h * (LINE + GAP) - GAP,
  }
}

/** Names and newest values; as many lines as there is room for. */
function legendMarkup(panel: Panel, series: readonly Series[], width: number): { html: string; lines: number } {
  const unit = panel.fieldConfig?.defaults?.unit ?? 'short'
  const entries = series.map((one, index) => {
    const value = Number.isNaN(lastOf(one)) ? '' : formatValue(lastOf(one), unit)
    return {
      length: one.name.length + value.length + 7,
      html: `<span><i style="background:${seriesColor(index)}"></i>${escapeHtml(one.name)} <b>${escapeHtml(value)}</b></span>`,
    }
  })
  const letters = entries.reduce((sum, { length }) => sum + length, 0)
  const lines = Math.min(4, Math.ceil((letters * 6.6) / (width - 20)))
  return {
    lines,
    html: `<div class="legend" style="height:${lines * LEGEND_LINE}px">${entries.map(({ html }) => html).join('')}</div>`,
  }
}

function documentOf({ title, templating }: Dashboard, body: string, { from, to }: TimeRange): string {
  const clock = (time: number) => new Date(time * 1000).toISOString().replace('T', ' ').slice(0, 16)
  const variables = (templating?.list ?? [])
    .map(
      ({ label, name, current }) =>
        `<span><em>${escapeHtml(label ?? name)}</em>${escapeHtml(String(current?.text))}</span>`,
    )
    .join('')
  return `<!doctype html><meta charset="utf-8"><style>${STYLE}</style>
<div class="head"><h1>${escapeHtml(title ?? '')}</h1>${variables}<span class="time">${clock(from)} to ${clock(to)} UTC</span></div>
${body}`
}

const STYLE = `
*{box-sizing:border-box}
body{margin:0;background:${PAGE};color:${TEXT};font:13px Inter,"Helvetica Neue",Arial,"DejaVu Sans",sans-serif;position:relative}
.head{height:${TOP}px;display:flex;align-items:center;gap:10px;padding:0 ${MARGIN + 4}px}
.head h1{font-size:18px;font-weight:500;margin:0 16px 0 0}
.head span{border:1px solid ${BORDER};background:${PANEL};padding:5px 10px;border-radius:2px}
.head em{font-style:normal;color:#6e9fff;margin-right:8px}
.head .time{margin-left:auto}
.row{position:absolute;font-size:15px;font-weight:500;padding:5px 4px}
.panel{position:absolute;background:${PANEL};border:1px solid ${BORDER};border-radius:2px;overflow:hidden}
.title{height:${TITLE}px;padding:8px 10px 0;font-weight:500;font-size:13px;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.nothing{display:flex;height:calc(100% - ${TITLE}px);align-items:center;justify-content:center;color:${FAINT};padding-bottom:14px}
.chart{padding:0 4px}
.legend{padding:0 12px;display:flex;flex-wrap:wrap;gap:0 14px;overflow:hidden;font-size:12px;align-content:flex-start}
.legend span{white-space:nowrap;line-height:${LEGEND_LINE}px}.legend i{display:inline-block;width:14px;height:3px;border-radius:2px;margin-right:6px;vertical-align:middle}
.legend b{font-weight:500;color:${FAINT}}
.stats{display:flex;height:calc(100% - ${TITLE}px)}
.stat{flex:1;position:relative;display:flex;flex-direction:column;align-items:center;justify-content:center;padding-bottom:24px;min-width:0}
.stat .value{font-weight:500;line-height:1.1;position:relative;white-space:nowrap}
.stat .name{position:relative;color:${TEXT};font-size:12px;margin-bottom:2px;white-space:nowrap}
.spark{position:absolute;left:0;bottom:0;width:100%;height:36%}
.bars{height:calc(100% - ${TITLE}px);display:flex;flex-direction:column;justify-content:space-evenly;padding:0 12px 8px}
.bar{display:flex;align-items:center;gap:10px;min-height:12px}
.bar .label{width:110px;text-align:right;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;font-size:12px}
.bar .track{flex:1;background:#22252b;height:12px}.bar .fill{display:block;height:100%}
.bar .number{width:64px;font-size:13px;font-weight:500}
table{width:100%;border-collapse:collapse;font-size:13px}
th{text-align:left;color:#6e9fff;font-weight:500;padding:4px 12px;border-bottom:1px solid ${BORDER}}
td{padding:5px 12px;border-bottom:1px solid ${BORDER}}td.number{color:#73BF69}
.heat{position:relative;height:calc(100% - ${TITLE}px);font-size:11px}
.heat svg{position:absolute;left:62px;top:4px;width:calc(100% - 76px);height:calc(100% - 34px)}
.heat .y{position:absolute;left:0;width:56px;top:4px;height:calc(100% - 34px);text-align:right}
.heat .y span{position:absolute;right:0;transform:translateY(50%);white-space:nowrap}
.heat .x{position:absolute;left:62px;width:calc(100% - 76px);bottom:8px;height:16px}
.heat .x span{position:absolute;transform:translateX(-50%)}
`
