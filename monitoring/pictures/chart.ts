// Line charts: what uPlot needs of a panel, made here; and the drawing itself, which runs in the page (its source is
// sent there, so it uses nothing of this module).
import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard'
import type UPlot from 'uplot'
import { type Step, seriesColor, stepsOf } from './colors.ts'
import type { Series, TimeRange } from './panel-data.ts'

export type Chart = Readonly<{
  element: string
  width: number
  height: number
  unit: string
  stacked: boolean
  times: number[]
  series: readonly Readonly<{ name: string; color: string; values: (number | null)[] }>[]
  limits: readonly Step[]
  marks: readonly Readonly<{ time: number; color: string }>[]
  softMin: number
  max: number | null
}>

type Size = Readonly<{ element: string; width: number; height: number }>
type Custom = { stacking?: { mode?: string }; thresholdsStyle?: { mode?: string }; axisSoftMin?: number }

export function chartOf(
  panel: Panel,
  series: readonly Series[],
  { from, step }: TimeRange,
  marks: Chart['marks'],
  size: Size,
): Chart {
  const defaults = panel.fieldConfig?.defaults
  const custom = (defaults?.custom ?? {}) as Custom
  const stacked = custom.stacking?.mode === 'normal'
  const colored = series.map(({ name, values }, index) => ({ name, color: seriesColor(index), values }))
  return {
    ...size,
    unit: defaults?.unit ?? 'short',
    stacked,
    times: (series[0]?.values ?? []).map((_, index) => from + index * step),
    // The highest of a stack is drawn first, so that the others lie in front of it.
    series: stacked ? stack(colored).reverse() : colored,
    limits: custom.thresholdsStyle ? stepsOf(panel).filter(({ value }) => Number.isFinite(value)) : [],
    marks,
    softMin: custom.axisSoftMin ?? 0,
    max: defaults?.max ?? null,
  }
}

function stack(series: Chart['series']): { name: string; color: string; values: (number | null)[] }[] {
  const below: number[] = []
  return series.map(({ name, color, values }) => ({
    name,
    color,
    values: values.map((value, index) => {
      if (value === null) return null
      below[index] = (below[index] ?? 0) + value
      return below[index]
    }),
  }))
}

type Page = {
  uPlot: new (options: UPlot.Options, data: UPlot.AlignedData, element: unknown) => UPlot
  formatValue: (value: number, unit: string) => string
  document: { getElementById(id: string): unknown }
}

/** Runs in the page. */
export function drawCharts(charts: readonly Chart[]): void {
  const page = globalThis as unknown as Page
  for (const chart of charts) {
    const known = chart.series.flatMap(({ values }) => values.filter(value => value !== null))
    const low = Math.min(chart.softMin, ...known)
    const top = Math.max(...known)
    const high = top > low ? top + (top - low) * 0.08 : low + 1
    const options = {
      width: chart.width,
      height: chart.height,
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { time: true },
        y: { range: [low, chart.max === null || top > chart.max || top < chart.max * 0.6 ? high : chart.max] },
      },
      axes: [
        {
          stroke: '#8e9099',
          grid: { stroke: '#24272d', width: 1 },
          ticks: { show: false },
          font: '11px sans-serif',
          size: 24,
          space: 90,
          incrs: [60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400],
          values: (_: unknown, splits: number[]) =>
            splits.map(time => new Date(time * 1000).toISOString().slice(11, 16)),
        },
        {
          stroke: '#8e9099',
          grid: { stroke: '#24272d', width: 1 },
          ticks: { show: false },
          font: '11px sans-serif',
          size: 62,
          space: 34,
          values: (_: unknown, splits: number[]) => splits.map(value => page.formatValue(value, chart.unit)),
        },
      ],
      series: [
        {},
        ...chart.series.map(({ name, color }) => ({
          label: name,
          stroke: color,
          width: 1.6,
          fill: chart.stacked ? `color-mix(in srgb, ${color} 38%, #181b1f)` : `${color}14`,
          points: { show: false },
          spanGaps: false,
        })),
      ],
      hooks: {
        draw: [
          (plot: UPlot) => {
            const { ctx, bbox } = plot
            ctx.save()
            ctx.setLineDash([6, 4])
            ctx.lineWidth = 1.2
            const line = (x1: number, y1: number, x2: number, y2: number, color: string) => {
              ctx.strokeStyle = color
              ctx.beginPath()
              ctx.moveTo(x1, y1)
              ctx.lineTo(x2, y2)
              ctx.stroke()
            }
            for (const { value, color } of chart.limits) {
              const y = plot.valToPos(value, 'y', true)
              if (y >= bbox.top && y <= bbox.top + bbox.height) line(bbox.left, y, bbox.left + bbox.width, y, color)
            }
            for (const { time, color } of chart.marks) {
              const x = plot.valToPos(time, 'x', true)
              line(x, bbox.top, x, bbox.top + bbox.height, color)
            }
            ctx.restore()
          },
        ],
      },
    } as unknown as UPlot.Options
    const data = [chart.times, ...chart.series.map(({ values }) => values)] as UPlot.AlignedData
    new page.uPlot(options, data, page.document.getElementById(chart.element))
  }
}
