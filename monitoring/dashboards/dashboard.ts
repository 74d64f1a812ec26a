// The frame that all dashboards share: the fixed datasource, the variables, links to the others, annotations for
// deploys and signature updates, and panels laid out row by row. Ids follow the order, so they are the same each time.
// A row whose panels do not fill lines of 24 columns is an error here, not a hole in Grafana.
import {
  AnnotationQueryBuilder,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  type Dashboard as DashboardModel,
  DatasourceVariableBuilder,
  type Panel,
  QueryVariableBuilder,
  type RowPanel,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard'
import type { DashboardUid } from '../rules/rule.ts'
import type { Settings } from '../thresholds.ts'
import { DASHBOARDS, DATASOURCE_UID } from './names.ts'
import type { PanelOf } from './panel.ts'

export type Row = Readonly<{ title: string; panels: readonly PanelOf[] }>

type Content = Readonly<{ description: string; rows: readonly Row[]; from?: string }>

/** Builds one dashboard as a site's settings want it: `from` is the time range it opens with. */
export function dashboard(
  uid: DashboardUid,
  settings: Settings,
  { description, rows, from = 'now-6h' }: Content,
): DashboardModel {
  const { title, tags } = DASHBOARDS[uid]
  const built = new DashboardBuilder(title)
    .uid(uid)
    .description(description)
    .tags([...tags])
    .readonly()
    .tooltip(DashboardCursorSync.Crosshair)
    .timezone('browser')
    .time({ from, to: 'now' })
    .refresh('30s')
    .variables(variables())
    .annotations(annotations())
    .links(linksToOthers(uid))
    .build()
  return { ...built, schemaVersion: SCHEMA_VERSION, panels: layOut(rows, settings) }
}

// Grafana upgrades older models when it loads them; this is the schema that the SDK's types describe.
const SCHEMA_VERSION = 41

function layOut(rows: readonly Row[], settings: Settings): (Panel | RowPanel)[] {
  const panels: (Panel | RowPanel)[] = []
  let y = 0
  for (const row of rows) {
    panels.push({
      type: 'row',
      collapsed: false,
      title: row.title,
      id: panels.length + 1,
      gridPos: { x: 0, y: y++, w: 24, h: 1 },
      panels: [],
    })
    let x = 0
    let lineHeight = 0
    for (const panel of row.panels.map(panel => panel(settings))) {
      const { w, h } = panel.gridPos!
      if (x > 0 && h !== lineHeight) throw new Error(`${row.title}: ${panel.title} is not as high as its neighbours`)
      panels.push({ ...panel, id: panels.length + 1, gridPos: { x, y, w, h } })
      x += w
      lineHeight = h
      if (x > 24) throw new Error(`${row.title}: ${panel.title} does not fit its line`)
      if (x === 24) {
        x = 0
        y += h
      }
    }
    if (x !== 0) throw new Error(`${row.title}: its last line is ${24 - x} columns short`)
  }
  return panels
}

function variables() {
  const ofPrometheus = { type: 'prometheus', uid: '$datasource' }
  const all = { selected: true, text: 'All', value: '$__all' }
  const query = (name: string, label: string, description: string, values: string) =>
    new QueryVariableBuilder(name)
      .label(label)
      .description(description)
      .datasource(ofPrometheus)
      .query({ qryType: 1, query: values, refId: 'values' })
      .definition(values)
      .refresh(VariableRefresh.OnTimeRangeChanged)
      .sort(VariableSort.AlphabeticalAsc)
      .multi(true)
      .includeAll(true)
      .allValue('.*')
      .current(all)
  return [
    new DatasourceVariableBuilder('datasource')
      .label('Data source')
      .type('prometheus')
      .current({ selected: true, text: 'Elemta Prometheus', value: DATASOURCE_UID }),
    query(
      'instance',
      'Instance',
      'Gateways; ratios and SLOs are always over all of them',
      'label_values(elemta_build_info, instance)',
    ),
    query(
      'route',
      'Route',
      'Routes of the configuration; only delivery has this label',
      'label_values(elemta_delivery_attempts_total, route)',
    ),
  ]
}

function annotations() {
  const annotation = (name: string, iconColor: string, expr: string, titleFormat: string, tagKeys: string) =>
    new AnnotationQueryBuilder()
      .name(name)
      .datasource({ type: 'prometheus', uid: '$datasource' })
      .enable(true)
      .iconColor(iconColor)
      .expr(expr)
      .step('60s')
      .titleFormat(titleFormat)
      .tagKeys(tagKeys)
  return [
    annotation(
      'Deploys and restarts',
      'blue',
      'changes(process_start_time_seconds{job="elemta",instance=~"$instance"}[2m]) > 0',
      'Elemta started',
      'instance',
    ),
    annotation(
      'New versions',
      'purple',
      'elemta_build_info{instance=~"$instance"} unless elemta_build_info{instance=~"$instance"} offset 2m',
      'Elemta {{version}}',
      'instance,version',
    ),
    annotation(
      'Signature updates',
      'orange',
      'changes(elemta_clamav_database_updated_timestamp{instance=~"$instance"}[2m]) > 0',
      'New virus signatures',
      'instance',
    ),
  ]
}

function linksToOthers(uid: DashboardUid) {
  return Object.entries(DASHBOARDS)
    .filter(([other]) => other !== uid)
    .map(([other, { title, slug }]) =>
      new DashboardLinkBuilder(title.replace(/^Elemta /, ''))
        .type(DashboardLinkType.Link)
        .icon('dashboard')
        .url(`/d/${other}/${slug}`)
        .keepTime(true)
        .includeVars(true),
    )
}
