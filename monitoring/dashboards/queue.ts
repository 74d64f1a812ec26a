// What waits, and for how long: age before length, since a long queue that moves hurts nobody.
import type { Row } from './dashboard.ts'
import { any, moreThan, over, overSeconds } from './limits.ts'
import { stat, timeseries } from './panel.ts'
import { maxOf, quantiles, sumOf } from './query.ts'

export const queue = (): Row => ({
  title: 'Queue',
  panels: [
    oldestIncoming(),
    oldestDeferred(),
    queueLength(),
    deadLetters(),
    backPressure(),
    queueAge(),
    queueSize(),
    processingTime(),
    firstAttemptDelay(),
  ],
})

const oldestIncoming = () =>
  stat({
    title: 'Oldest not yet scanned or tried',
    description: 'Age of the oldest message in incoming: what waits for us. Seconds are good.',
    unit: 's',
    width: 5,
    steps: overSeconds({ warning: 'incoming_age_warning', critical: 'incoming_age_critical' }),
    alerts: ['OldestMessageTooOld'],
    queries: [
      { expr: maxOf('elemta_queue_oldest_age_seconds', { where: 'queue_type="incoming"' }), legend: 'incoming' },
    ],
  })

const oldestDeferred = () =>
  stat({
    title: 'Oldest deferred',
    description:
      'Age of the oldest message that waits for its next hop. Hours happen; senders hear of it after a while.',
    unit: 's',
    width: 5,
    steps: overSeconds({ warning: 'deferred_age_warning' }),
    alerts: ['OldestMessageTooOld'],
    queries: [
      { expr: maxOf('elemta_queue_oldest_age_seconds', { where: 'queue_type="deferred"' }), legend: 'deferred' },
    ],
  })

const queueLength = () =>
  stat({
    title: 'Jobs in the queue',
    description: 'All that waits or is worked on: incoming, active, deferred.',
    unit: 'locale',
    decimals: 0,
    width: 5,
    steps: over({ warning: 'queue_size' }),
    alerts: ['QueueSizeGrowing'],
    queries: [
      { expr: sumOf('elemta_queue_size', { where: 'queue_type=~"incoming|active|deferred"' }), legend: 'jobs' },
    ],
  })

const deadLetters = () =>
  stat({
    title: 'Dead letters',
    description:
      'Jobs whose worker failed again and again. 0 is the only good number; each is a bug or a poisoned message.',
    unit: 'locale',
    decimals: 0,
    width: 4,
    steps: moreThan({ warning: 'dead_letters' }),
    alerts: ['DeadLetters'],
    queries: [{ expr: sumOf('elemta_queue_size', { where: 'queue_type="failed"' }), legend: 'dead letters' }],
  })

const backPressure = () =>
  stat({
    title: 'Back-pressure',
    description:
      '1 while new mail is answered 451 because the queue or the disk is full. Senders keep their mail and try again.',
    unit: 'bool_on_off',
    width: 5,
    steps: any('red'),
    alerts: ['BackPressure'],
    queries: [{ expr: maxOf('elemta_back_pressure', { by: 'reason' }), legend: '{{reason}}' }],
  })

export const queueAge = (width = 12) =>
  timeseries({
    title: 'Oldest age by queue',
    description: 'Deferred mail may be days old: its next hop is away. Incoming and active are minutes at the worst.',
    unit: 's',
    width,
    alerts: ['OldestMessageTooOld'],
    queries: [{ expr: maxOf('elemta_queue_oldest_age_seconds', { by: 'queue_type' }), legend: '{{queue_type}}' }],
  })

export const queueSize = (width = 12) =>
  timeseries({
    title: 'Queue size by type',
    description:
      'Jobs by where they stand. A growing deferred is a next hop; a growing incoming is a scanner or too few workers.',
    unit: 'short',
    width,
    stacked: true,
    steps: over({ warning: 'queue_size' }),
    alerts: ['QueueSizeGrowing'],
    queries: [{ expr: sumOf('elemta_queue_size', { by: 'queue_type' }), legend: '{{queue_type}}' }],
  })

const processingTime = () =>
  timeseries({
    title: 'Time from acceptance to the end',
    description:
      'Until the last recipient’s end state. p50 is a clean message’s whole way; p95 includes retries. Empty without traffic.',
    unit: 's',
    width: 12,
    queries: quantiles('elemta_queue_processing_time_seconds'),
  })

export const firstAttemptDelay = (width = 12) =>
  timeseries({
    title: 'Delay to the first delivery attempt',
    description:
      'Per recipient, from acceptance to the end of the first attempt: what the timeliness SLO counts. Empty without traffic.',
    unit: 's',
    width,
    alerts: ['TimelinessErrorBudgetBurn'],
    queries: quantiles('elemta_delivery_first_attempt_delay_seconds'),
  })
