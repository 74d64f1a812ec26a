// What went wrong, by class: at the door, in the workers, towards next hops and senders.
import type { Row } from './dashboard.ts'
import { bars, timeseries } from './panel.ts'
import { inRange, perMinute } from './query.ts'

export const errors = (): Row => ({
  title: 'Errors',
  panels: [connectionErrors(), refusals(), tempfailed(), failureReasons(), crashes(), reports()],
})

const connectionErrors = () =>
  timeseries({
    title: 'Connection errors by reason',
    description:
      'Connections per minute that ended badly. too-many: the limit; reset and timeout: clients or the network.',
    unit: 'short',
    width: 8,
    alerts: ['HighActiveConnections'],
    queries: [{ expr: perMinute('elemta_connection_errors_total', { by: 'reason' }), legend: '{{reason}}' }],
  })

const refusals = () =>
  timeseries({
    title: 'Error rate: transactions refused by stage',
    description: 'Answered 5yz per minute. rcpt is unknown users and relay attempts; data is content.',
    unit: 'short',
    width: 8,
    stacked: true,
    queries: [{ expr: perMinute('elemta_messages_rejected_total', { by: 'stage' }), legend: '{{stage}}' }],
  })

export const tempfailed = (width = 8) =>
  timeseries({
    title: 'Deferred at the door by reason',
    description:
      'Answered 4yz per minute. storage, room and other are our fault and spend the accept SLO; policy and scan are meant.',
    unit: 'short',
    width,
    alerts: ['AcceptErrorBudgetBurn', 'BackPressure'],
    queries: [{ expr: perMinute('elemta_messages_tempfailed_total', { by: 'reason' }), legend: '{{reason}}' }],
  })

export const failureReasons = (width = 8) =>
  bars({
    title: 'Delivery failures by reason',
    description: 'Recipients not delivered in an attempt within the time range, by what was in the way.',
    unit: 'locale',
    decimals: 0,
    width,
    alerts: ['HighDeliveryFailureRate'],
    queries: [{ expr: inRange('elemta_delivery_failure_reasons_total', { by: 'reason' }), legend: '{{reason}}' }],
  })

export const crashes = (width = 8) =>
  timeseries({
    title: 'Worker failures',
    description: 'Jobs per minute whose worker failed or died, by stage. 0 is good; repeated ones become dead letters.',
    unit: 'short',
    width,
    alerts: ['DeadLetters'],
    queries: [{ expr: perMinute('elemta_job_crashes_total', { by: 'stage' }), legend: '{{stage}}' }],
  })

const reports = () =>
  timeseries({
    title: 'Reports to senders',
    description: 'DSNs per minute by action, those kept back on purpose, and those lost: senders who were not told.',
    unit: 'short',
    width: 8,
    queries: [
      { expr: perMinute('elemta_dsn_total', { by: 'action' }), legend: '{{action}}' },
      { expr: perMinute('elemta_dsn_suppressed_total'), legend: 'kept back' },
      { expr: perMinute('elemta_dsn_lost_total'), legend: 'lost' },
    ],
  })
