// The panels that users were promised by name are where they were promised.
import { expect, test } from 'vitest'
import { BOARDS, panelsOf } from './dashboards-static.ts'

const PROMISED: Readonly<Record<string, readonly RegExp[]>> = {
  'elemta-dashboard': [
    /^SLO: Accept$/,
    /^SLO: No loss$/,
    /^Mail flow$/,
    /^Active connections$/,
    /^Connection rate$/,
    /^Session duration$/,
    /^Queue size by type$/,
    /^Oldest age by queue$/,
    /^Deliveries by route$/,
    /^Delivery failure rate$/,
    /^Delivery time by route$/,
    /^Retries by route$/,
    /^Error rate/,
    /^Connection errors by reason$/,
    /^Memory$/,
    /^Disk free$/,
  ],
  'elemta-greylisting': [
    /^Greylisting effectiveness: passed, deferred, never returned$/,
    /^Greylisting database size$/,
    /^Retry patterns: delay distribution$/,
    /^Retry patterns: delay p50 and p95$/,
    /^Performance impact/,
  ],
  'elemta-security': [
    /^ClamAV scans and virus detections$/,
    /^Virus detection rate$/,
    /^Rspamd actions$/,
    /^Rspamd score distribution$/,
    /^Spam rate$/,
    /^Security scan latency$/,
    /^Scan duration p50 and p95 by scanner$/,
    /^Threat type distribution$/,
    /^Authentication attempts and failures$/,
    /^TLS usage and handshake failures$/,
    /^Rejections by stage$/,
    /^Passed unscanned$/,
    /^Signature age$/,
    /^Signature storm$/,
    /^Quarantine/,
  ],
  'elemta-executive': [/^SLO: Accept$/, /^Threats stopped$/, /^Mail delivered$/],
  'elemta-slo': [/^Error budget left$/, /^Error ratio: Timeliness$/, /^Ledger imbalance$/, /^What fires$/],
  'elemta-troubleshooting': [
    /^Where is my mail: by stage$/,
    /^Oldest age by queue$/,
    /^Back-pressure over time$/,
    /^Destinations down$/,
    /^Event-loop lag$/,
    /^Disk free$/,
    /^Memory$/,
    /^Configuration reloads$/,
    /^Canary results$/,
    /^Anomalies/,
  ],
}

test.each(Object.entries(PROMISED))('%s has every panel promised', (uid, promised) => {
  const titles = panelsOf(uid).map(({ title }) => title!)
  expect(promised.filter(title => !titles.some(has => title.test(has))).map(String)).toEqual([])
})

test('the rows carry the names of the summary', () => {
  const rows = (uid: string) =>
    (BOARDS.find(board => board.uid === uid)?.panels ?? []).filter(({ type }) => type === 'row').map(row => row.title)
  expect(rows('elemta-dashboard')).toEqual([
    'SLO state',
    'Overview',
    'Connections',
    'Queue',
    'Delivery',
    'Errors',
    'Resources',
  ])
  expect(rows('elemta-greylisting')).toEqual([
    'Greylisting effectiveness',
    'Database size',
    'Retry patterns',
    'Performance impact',
  ])
  expect(rows('elemta-security')).toEqual([
    'Virus detection (ClamAV)',
    'Spam filtering (Rspamd)',
    'Security scan performance',
    'Threat type distribution',
    'Combined security',
  ])
})

test('latency panels show exemplars, and deploys and signature updates are marked', () => {
  for (const [uid, title] of [
    ['elemta-dashboard', 'Time to accept'],
    ['elemta-security', 'Scan duration p50 and p95 by scanner'],
    ['elemta-troubleshooting', 'Delay to the first delivery attempt'],
  ]) {
    const targets = panelsOf(uid!).find(panel => panel.title === title)!.targets as { exemplar?: boolean }[]
    expect(
      targets.map(({ exemplar }) => exemplar),
      title,
    ).not.toContain(undefined)
  }
  for (const { annotations } of BOARDS) {
    expect(annotations?.list?.map(({ name }) => name)).toEqual([
      'Deploys and restarts',
      'New versions',
      'Signature updates',
    ])
  }
})
