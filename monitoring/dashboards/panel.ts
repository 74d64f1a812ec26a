// The kinds of panel that the dashboards use, dressed alike: title, a description of what good looks like, a unit, the
// queries, and thresholds that are the alerts' own. A panel that belongs to an alert links to its runbook.
// Widths are in Grafana's 24 columns; dashboard.ts lays panels out in the order given.
import { PanelBuilder as BarGauge } from '@grafana/grafana-foundation-sdk/bargauge'
import {
  BarGaugeDisplayMode,
  BigValueColorMode,
  BigValueGraphMode,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizOrientation,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common'
import {
  DashboardLinkBuilder,
  DashboardLinkType,
  FieldColorBuilder,
  FieldColorModeId,
  type Panel,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type ValueMapping,
} from '@grafana/grafana-foundation-sdk/dashboard'
import { PanelBuilder as Heatmap, YAxisConfigBuilder } from '@grafana/grafana-foundation-sdk/heatmap'
import { PanelBuilder as Stat } from '@grafana/grafana-foundation-sdk/stat'
import { PanelBuilder as Table } from '@grafana/grafana-foundation-sdk/table'
import { PanelBuilder as TimeSeries } from '@grafana/grafana-foundation-sdk/timeseries'
import type { Settings } from '../thresholds.ts'
import type { Limits } from './limits.ts'
import { type Query, target } from './query.ts'

export type PanelSpec = Readonly<{
  title: string
  /** What it shows, what good looks like, and what an empty panel would mean. */
  description: string
  unit: string
  queries: readonly Query[]
  width: number
  height?: number
  decimals?: number
  min?: number
  max?: number
  /** Colour steps, most often those of an alert. */
  steps?: Limits
  /** The alerts that watch this: their runbooks are linked. */
  alerts?: readonly string[]
  mappings?: readonly ValueMapping[]
  /** Shown in place of a value where there is none. */
  noValue?: string
}>

/** A panel as it looks under a site's settings; dashboard.ts gives it its place. */
export type PanelOf = (settings: Settings) => Panel

const PLAIN: Limits = () => [{ value: null, color: 'green' }]

/** Lines over time; `stacked` for parts of a whole. */
export function timeseries(spec: PanelSpec & Readonly<{ stacked?: boolean }>): PanelOf {
  const panel = new TimeSeries()
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .showLegend(true)
        .calcs(['lastNotNull']),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending))
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassic))
    .lineWidth(2)
    .fillOpacity(spec.stacked ? 40 : 8)
    .showPoints(VisibilityMode.Never)
    .axisSoftMin(spec.min ?? 0)
  if (spec.stacked) panel.stacking(new StackingConfigBuilder().mode(StackingMode.Normal).group('A'))
  if (spec.steps !== undefined) {
    panel.thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed))
  }
  return dress(panel, spec, 'range')
}

/** One number per query, coloured by its thresholds, with its course behind it. */
export function stat(spec: PanelSpec): PanelOf {
  const panel = new Stat()
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']))
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Thresholds))
    .colorMode(spec.steps === undefined ? BigValueColorMode.None : BigValueColorMode.Value)
    .graphMode(BigValueGraphMode.Area)
  return dress(panel, { height: 4, ...spec }, 'range')
}

/** One bar per series, longest value named: distributions. */
export function bars(spec: PanelSpec): PanelOf {
  const panel = new BarGauge()
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']))
    .colorScheme(
      new FieldColorBuilder().mode(
        spec.steps === undefined ? FieldColorModeId.PaletteClassic : FieldColorModeId.Thresholds,
      ),
    )
    .orientation(VizOrientation.Horizontal)
    .displayMode(BarGaugeDisplayMode.Gradient)
    .showUnfilled(true)
  return dress(panel, spec, 'instant')
}

/** The current value of every series as rows; `columns` are the labels to show, in order, with their headings. */
export function table(spec: PanelSpec & Readonly<{ columns: Readonly<Record<string, string>> }>): PanelOf {
  const columns = Object.entries({ ...spec.columns, Value: spec.columns.Value ?? 'Value' })
  const panel = new Table()
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Thresholds))
    .withTransformation({
      id: 'filterFieldsByName',
      options: { include: { names: columns.map(([label]) => label) } },
    })
    .withTransformation({
      id: 'organize',
      options: {
        excludeByName: {},
        indexByName: Object.fromEntries(columns.map(([label], index) => [label, index])),
        renameByName: Object.fromEntries(columns),
      },
    })
  return dress(panel, spec, 'table')
}

/** The buckets of a histogram over time: where an average would hide two humps. The unit is that of the buckets. */
export function heatmap(spec: PanelSpec): PanelOf {
  return dress(new Heatmap().calculate(false).yAxis(new YAxisConfigBuilder().unit(spec.unit)), spec, 'heatmap')
}

/** What all kinds have in common. */
function dress(
  panel: TimeSeries | Stat | BarGauge | Table | Heatmap,
  spec: PanelSpec,
  kind: Parameters<typeof target>[2],
): PanelOf {
  panel
    .title(spec.title)
    .description(spec.description)
    .unit(spec.unit)
    .datasource({ type: 'prometheus', uid: '$datasource' })
    .span(spec.width)
    .height(spec.height ?? 8)
    .noValue(spec.noValue ?? 'No data')
    .targets(spec.queries.map((query, index) => target(query, index, kind)))
  if (spec.decimals !== undefined) panel.decimals(spec.decimals)
  if (spec.min !== undefined) panel.min(spec.min)
  if (spec.max !== undefined) panel.max(spec.max)
  if (spec.mappings !== undefined) panel.mappings([...spec.mappings])
  const { steps = PLAIN, alerts = [] } = spec
  return settings =>
    panel
      .thresholds(new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps(settings)))
      .links(
        alerts.map(alert =>
          new DashboardLinkBuilder(`Runbook: ${alert}`)
            .type(DashboardLinkType.Link)
            .url(`${settings.links.runbooks.replace(/\/$/, '')}/${alert}.md`)
            .targetBlank(true),
        ),
      )
      .build()
}
