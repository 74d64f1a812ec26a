// What comes in and what becomes of it, in messages per minute.
import { mailVolume } from './anomalies.ts'
import type { Row } from './dashboard.ts'
import { none } from './limits.ts'
import { stat, timeseries } from './panel.ts'
import { inRange, maxOf, perMinute } from './query.ts'

export const overview = (): Row => ({
  title: 'Overview',
  panels: [
    messagesAccepted(),
    recipientsDelivered(),
    recipientsFailed(),
    messagesRefused(),
    quarantined(),
    running(),
    mailFlow(),
    mailVolume(12),
  ],
})

export const messagesAccepted = () =>
  stat({
    title: 'Messages accepted',
    description: 'Answered 250 after the dot within the time range: from then on the gateway answers for them.',
    unit: 'locale',
    decimals: 0,
    width: 4,
    queries: [{ expr: inRange('elemta_messages_received_total'), legend: 'accepted' }],
  })

const recipientsDelivered = () =>
  stat({
    title: 'Recipients delivered',
    description: 'Taken by a next hop within the time range. A message to three recipients counts three times.',
    unit: 'locale',
    decimals: 0,
    width: 4,
    queries: [{ expr: inRange('elemta_messages_delivered_total'), legend: 'delivered' }],
  })

const recipientsFailed = () =>
  stat({
    title: 'Recipients failed',
    description:
      'Given up for good within the time range. Mistyped addresses are normal; a jump is a next hop or route.',
    unit: 'locale',
    decimals: 0,
    width: 4,
    queries: [{ expr: inRange('elemta_messages_failed_total'), legend: 'failed' }],
  })

const messagesRefused = () =>
  stat({
    title: 'Transactions refused',
    description: 'Answered 5yz within the time range: policy, relay control, malware. Spam runs make it large.',
    unit: 'locale',
    decimals: 0,
    width: 4,
    queries: [{ expr: inRange('elemta_messages_rejected_total'), legend: 'refused' }],
  })

const quarantined = () =>
  stat({
    title: 'In quarantine',
    description: 'Recipients whose mail waits for a person: elemta quarantine list.',
    unit: 'locale',
    decimals: 0,
    width: 4,
    queries: [{ expr: maxOf('elemta_quarantine_size'), legend: 'recipients' }],
  })

const running = () =>
  stat({
    title: 'Gateways running',
    description: 'Processes that answered the last scrape. No data: Prometheus has no target of job elemta.',
    unit: 'locale',
    decimals: 0,
    width: 4,
    steps: none(),
    alerts: ['ElemtaDown'],
    queries: [{ expr: 'sum(up{job="elemta",instance=~"$instance"})', legend: 'up' }],
  })

const mailFlow = () =>
  timeseries({
    title: 'Mail flow',
    description:
      'Per minute: messages accepted, deferred at the door (4yz) and refused (5yz); recipients delivered and failed. Accepted and delivered run side by side, delivered above it where mail has several recipients.',
    unit: 'short',
    width: 12,
    queries: [
      { expr: perMinute('elemta_messages_received_total'), legend: 'accepted' },
      { expr: perMinute('elemta_messages_delivered_total'), legend: 'delivered' },
      { expr: perMinute('elemta_messages_rejected_total'), legend: 'refused' },
      { expr: perMinute('elemta_messages_tempfailed_total'), legend: 'deferred at the door' },
      { expr: perMinute('elemta_messages_failed_total'), legend: 'failed' },
    ],
  })
