// The dashboards: which rows each has. Panels are in the files of their rows.
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import type { Settings } from '../thresholds.ts'
import { connections } from './connections.ts'
import { dashboard } from './dashboard.ts'
import { delivery } from './delivery.ts'
import { errors } from './errors.ts'
import { promises, protection, volume } from './executive.ts'
import { database, impact, retryPatterns } from './greylisting-cost.ts'
import { effectiveness } from './greylisting-effectiveness.ts'
import { overview } from './overview.ts'
import { queue } from './queue.ts'
import { resources } from './resources.ts'
import { scanPerformance } from './scan-performance.ts'
import { alertState, budgets, burnRates, sloState } from './slo.ts'
import { spamFiltering } from './spam.ts'
import { combined, threatTypes } from './threats.ts'
import { atTheDoor, beingScanned, endToEnd, onTheWayOut, theMachine, whereIsMyMail } from './troubleshooting.ts'
import { virusDetection } from './virus.ts'

export function dashboards(settings: Settings): Dashboard[] {
  return [
    dashboard('elemta-dashboard', settings, {
      description: 'The gateway at a glance: promises, mail flow, connections, queue, delivery, errors, resources.',
      rows: [sloState(), overview(), connections(), queue(), delivery(), errors(), resources()],
    }),
    dashboard('elemta-greylisting', settings, {
      description: 'What greylisting keeps out, and what it costs honest senders.',
      rows: [effectiveness(), database(), retryPatterns(), impact()],
    }),
    dashboard('elemta-security', settings, {
      description: 'Viruses, spam, scan performance, threat types, logins, TLS, refusals and quarantine.',
      rows: [virusDetection(), spamFiltering(), scanPerformance(), threatTypes(), combined()],
    }),
    dashboard('elemta-executive', settings, {
      description: 'Is mail safe, does it flow, and how much of it is there.',
      rows: [promises(), protection(), volume()],
      from: 'now-7d',
    }),
    dashboard('elemta-slo', settings, {
      description: 'Error budgets of the four promises and how fast they burn.',
      rows: [budgets(), burnRates(), alertState()],
      from: 'now-24h',
    }),
    dashboard('elemta-troubleshooting', settings, {
      description: 'Where is my mail: from the door to the next hop, and what holds it.',
      rows: [whereIsMyMail(), atTheDoor(), beingScanned(), onTheWayOut(), theMachine(), endToEnd()],
      from: 'now-3h',
    }),
  ]
}
