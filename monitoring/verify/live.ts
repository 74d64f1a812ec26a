// Does every metric that a rule or a panel names exist on a live scrape, and does every panel show something? A panel may
// be broken (a metric that is not there, a query that is refused), quiet (nothing of the kind has happened yet), or too
// young (a baseline of the last seven days).
import { type CheckedQuery, checkPanels, panelQueries } from '../panel-check.ts'
import { type Check, plural } from './check.ts'
import { instantly } from './prometheus.ts'
import { dashboardsBelow, rulesBelow, scrapedBehind, seriesIn } from './sources.ts'

export type Live = Readonly<{ checks: readonly Check[]; metrics: string; panels: string }>

/** `allowQuiet`: a panel of something that has not happened here yet is a note, not a problem. */
export async function checkLive(
  prometheus: string,
  { folder, allowQuiet }: Readonly<{ folder: string; allowQuiet: boolean }>,
): Promise<Live> {
  const rules = rulesBelow(folder)
  const boards = dashboardsBelow(folder)
  const titles = new Map(boards.map(({ uid = '', title = '' }) => [uid, title]))
  const queries = panelQueries(boards)
  const asking = [
    ...rules.map(({ name, expr }) => ({ who: name, expr })),
    ...queries.map(({ dashboard, panel, expr }) => ({ who: `${titles.get(dashboard)}: ${panel}`, expr })),
  ]
  const users = new Map<string, Set<string>>()
  for (const { who, expr } of asking) {
    for (const name of scrapedBehind(seriesIn(expr), rules)) users.set(name, (users.get(name) ?? new Set()).add(who))
  }
  const live = await liveOf(prometheus, [...users.keys()])
  const missing = [...users.keys()].filter(name => !live.has(name)).sort()
  const answers = await checkPanels(prometheus, queries)
  const panels = [...Map.groupBy(answers, ({ dashboard, panelId }) => `${dashboard}/${panelId}`).values()].map(all => ({
    board: titles.get(all[0]!.dashboard)!,
    panel: all[0]!.panel,
    ...judgePanel(all, expr => [...scrapedBehind(seriesIn(expr), rules)].filter(name => !live.has(name))),
  }))
  const of = (wanted: PanelState) => panels.filter(({ state }) => state === wanted)
  const quiet = of('quiet')
  const quietText = `${plural(quiet.length, 'panel')} without data: ${listed(quiet)}. ${QUIET_ADVICE}`
  const metrics = `${users.size - missing.length}/${users.size}`
  const withData = `${of('data').length}/${panels.length}`
  const young = of('too-young')
  return {
    metrics,
    panels: withData,
    checks: [
      {
        name: 'metrics',
        summary: `${metrics} live`,
        problems: missing.map(
          name => `${name} is in no scrape; asked for by ${[...users.get(name)!].slice(0, 3).join(', ')}`,
        ),
      },
      {
        name: 'panels',
        summary: `${withData} with data, of ${plural(boards.length, 'dashboard')}`,
        problems: [
          ...of('broken').map(({ board, panel, why }) => `${board}: ${panel}: ${why}`),
          ...(quiet.length > 0 && !allowQuiet ? [quietText] : []),
        ],
        notes: [
          ...(quiet.length > 0 && allowQuiet ? [quietText] : []),
          ...(young.length > 0 ? [`${listed(young)}: the usual is known after some days`] : []),
        ],
      },
    ],
  }
}

/** `Elemta SLOs (SLO: Accept, Error budget left); …` */
function listed(panels: readonly Readonly<{ board: string; panel: string }>[]): string {
  const boards = [...Map.groupBy(panels, ({ board }) => board)]
  return boards.map(([board, of]) => `${board} (${of.map(({ panel }) => panel).join(', ')})`).join('; ')
}

const QUIET_ADVICE =
  'Their metrics are there, but nothing of the kind happened lately, or Prometheus has just been started and knows no ' +
  'shares of minutes yet: scripts/generate-test-load.sh makes most of it happen; ' +
  'where a feature is off for good (greylisting, logins), --allow-quiet takes them for granted'

type PanelState = 'data' | 'too-young' | 'quiet' | 'broken'

function judgePanel(
  queries: readonly CheckedQuery[],
  missing: (expr: string) => readonly string[],
): Readonly<{ state: PanelState; why: string }> {
  const refused = queries.find(({ state }) => state === 'error')
  if (refused !== undefined) return { state: 'broken', why: `Prometheus refuses its query: ${refused.detail}` }
  // A list of what fires that is empty is as it should be.
  const empty = queries.filter(({ state, expr }) => state === 'empty' && !seriesIn(expr).includes('ALERTS'))
  const lacking = [...new Set(empty.flatMap(({ expr }) => missing(expr)))]
  if (lacking.length > 0) return { state: 'broken', why: `no data, since ${lacking.join(', ')} is in no scrape` }
  if (empty.length > 0) return { state: 'quiet', why: '' }
  return { state: queries.some(({ state }) => state === 'data') ? 'data' : 'too-young', why: '' }
}

async function liveOf(prometheus: string, names: readonly string[]): Promise<Set<string>> {
  const found = await instantly(prometheus, `count by (__name__) ({__name__=~"${names.join('|')}"})`)
  return new Set(found.map(({ labels }) => labels.__name__ ?? ''))
}
