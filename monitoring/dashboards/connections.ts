// Who is connected, for how long, and how secure.
import type { Row } from './dashboard.ts'
import { over } from './limits.ts'
import { heatmap, timeseries } from './panel.ts'
import { perMinute, perSecond, quantiles, sumOf } from './query.ts'

export const connections = (): Row => ({
  title: 'Connections',
  panels: [activeConnections(), connectionRate(), sessionDuration(), tlsUse(), messageSize(), acceptDuration()],
})

const activeConnections = () =>
  timeseries({
    title: 'Active connections',
    description: 'SMTP connections open now. A plateau at the limit means that clients are turned away with 421.',
    unit: 'short',
    width: 8,
    steps: over({ warning: 'active_connections' }),
    alerts: ['HighActiveConnections'],
    queries: [{ expr: sumOf('elemta_connections_active', { by: 'instance' }), legend: '{{instance}}' }],
  })

const connectionRate = () =>
  timeseries({
    title: 'Connection rate',
    description:
      'Connections taken per second. Compare with mail accepted: many connections and little mail is a probe.',
    unit: 'cps',
    width: 8,
    queries: [{ expr: perSecond('elemta_connections_total'), legend: 'connections' }],
  })

const sessionDuration = () =>
  timeseries({
    title: 'Session duration',
    description:
      'From connect to close. Seconds are normal; minutes are idle clients or tarpits. Empty without traffic.',
    unit: 's',
    width: 8,
    queries: quantiles('elemta_connection_duration_seconds'),
  })

const tlsUse = () =>
  timeseries({
    title: 'TLS connections and failed handshakes',
    description:
      'Handshakes per minute by version, and those that failed. Failures after a renewal: look at the chain.',
    unit: 'short',
    width: 8,
    alerts: ['CertificateExpiring'],
    queries: [
      { expr: perMinute('elemta_tls_connections_total', { by: 'version' }), legend: '{{version}}' },
      { expr: perMinute('elemta_tls_handshake_failures_total'), legend: 'failed' },
    ],
  })

const messageSize = () =>
  heatmap({
    title: 'Message size',
    description: 'Sizes of accepted messages; the brighter, the more. A new band at the limit is worth a look.',
    unit: 'bytes',
    width: 8,
    queries: [{ expr: perSecond('elemta_message_size_bytes_bucket', { by: 'le' }), legend: '{{le}}' }],
  })

const acceptDuration = () =>
  timeseries({
    title: 'Time to accept',
    description:
      'From the final dot to the 250: making the message durable, and the scan where scan.wait is set. Milliseconds on a good disk. Empty without traffic.',
    unit: 's',
    width: 8,
    queries: quantiles('elemta_accept_duration_seconds'),
  })
