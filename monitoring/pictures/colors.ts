// Grafana's dark theme, as far as pictures need it: the classic palette for series, names for thresholds, and the
// colours of the page.
import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard'

const PALETTE = [
  '#73BF69',
  '#F2CC0C',
  '#8AB8FF',
  '#FF780A',
  '#F2495C',
  '#5794F2',
  '#B877D9',
  '#37872D',
  '#FADE2A',
  '#8F3BB8',
  '#96D98D',
  '#FFB357',
  '#FF7383',
  '#C0D8FF',
  '#CA95E5',
]
const NAMED: Readonly<Record<string, string>> = { green: '#73BF69', orange: '#FF9830', red: '#F2495C' }

export const PAGE = '#111217'
export const PANEL = '#181b1f'
export const BORDER = '#24272d'
export const TEXT = '#d0d1d6'
export const FAINT = '#8e9099'
export const BLUE = '#8AB8FF'

export const seriesColor = (index: number) => PALETTE[index % PALETTE.length]!
export const namedColor = (name: string) => NAMED[name] ?? TEXT

export type Step = Readonly<{ value: number; color: string }>

/** The colour steps of a panel, lowest first; the first begins at minus infinity. */
export const stepsOf = (panel: Panel): Step[] =>
  (panel.fieldConfig?.defaults?.thresholds?.steps ?? []).map(({ value, color }) => ({
    value: value ?? Number.NEGATIVE_INFINITY,
    color: namedColor(color),
  }))

/** The colour that a value has by a panel's thresholds. */
export const thresholdColor = (panel: Panel, value: number) =>
  stepsOf(panel).findLast(step => value >= step.value)?.color ?? TEXT
