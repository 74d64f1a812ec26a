// What the dashboards and their datasource are called. Links, alerts and provisioning use these; a uid is an address
// that people have bookmarked, so it never changes.
import type { DashboardUid } from '../rules/rule.ts'

export const DATASOURCE_UID = 'elemta-prometheus'

/** Grafana's folder of dashboards and alert rules. */
export const FOLDER = 'Elemta'

export const DASHBOARDS: Readonly<Record<DashboardUid, { title: string; slug: string; tags: readonly string[] }>> = {
  'elemta-dashboard': { title: 'Elemta Dashboard', slug: 'elemta-dashboard', tags: ['elemta', 'overview'] },
  'elemta-security': {
    title: 'Elemta Security Dashboard',
    slug: 'elemta-security-dashboard',
    tags: ['elemta', 'security'],
  },
  'elemta-greylisting': {
    title: 'Elemta Greylisting Dashboard',
    slug: 'elemta-greylisting-dashboard',
    tags: ['elemta', 'greylisting'],
  },
  'elemta-executive': { title: 'Elemta Executive Summary', slug: 'elemta-executive-summary', tags: ['elemta'] },
  'elemta-slo': { title: 'Elemta SLOs', slug: 'elemta-slos', tags: ['elemta', 'slo'] },
  'elemta-troubleshooting': {
    title: 'Elemta Troubleshooting',
    slug: 'elemta-troubleshooting',
    tags: ['elemta', 'troubleshooting'],
  },
}
