// The catalogue: every metric of Elemta by group, and all of the gateway's own together.
import { clamd } from './clamd.ts'
import type { Group } from './definition.ts'
import { delivery } from './delivery.ts'
import { plugins } from './plugins.ts'
import { process } from './process.ts'
import { queue } from './queue.ts'
import { scanners } from './scanners.ts'
import { security } from './security.ts'
import { smtp } from './smtp.ts'

/** Of the gateway's /metrics. */
export const CATALOGUE = {
  ...smtp,
  ...queue,
  ...delivery,
  ...security,
  ...scanners,
  ...plugins,
  ...process,
} as const satisfies Group

/** For people, in the order of the documentation. The last is the ClamAV exporter's. */
export const GROUPS: readonly Readonly<{ title: string; group: Group }>[] = [
  { title: 'SMTP', group: smtp },
  { title: 'Queue', group: queue },
  { title: 'Delivery', group: delivery },
  { title: 'Security', group: security },
  { title: 'Scanners', group: scanners },
  { title: 'Plugins', group: plugins },
  { title: 'Process and canary', group: process },
  { title: 'ClamAV exporter', group: clamd },
]
