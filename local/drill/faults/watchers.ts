// Faults of the watchers themselves, which no alert can tell of: the dead-man's switch no longer hears of them.
import type { Fault } from '../fault.ts'

export const WATCHER_FAULTS: readonly Fault[] = [
  {
    what: 'Alertmanager is stopped',
    stack: 'instance',
    silences: true,
    proves: [{ alert: 'Watchdog', severity: 'info' }],
    inject: ({ stopAlertmanager }) => stopAlertmanager(),
    heal: ({ startAlertmanager }) => startAlertmanager(),
  },
  {
    what: 'Prometheus is stopped',
    stack: 'instance',
    silences: true,
    proves: [{ alert: 'Watchdog', severity: 'info' }],
    inject: ({ stopPrometheus }) => stopPrometheus(),
    heal: ({ startPrometheus }) => startPrometheus(),
  },
]
