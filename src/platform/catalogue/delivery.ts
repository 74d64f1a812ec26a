// Delivery: attempts and their outcomes, destinations, and the reports to senders.
import { type Group, SECONDS } from './definition.ts'

/** The first of a route's domains, as configured; `default`: the route for `*`, and what no route is for. */
const ROUTE = { from: 'routes, and default' } as const

export const delivery = {
  messagesDelivered: {
    name: 'elemta_messages_delivered_total',
    type: 'counter',
    help: 'Recipients delivered',
    spike: 'Follows what is received; a fall while mail comes in: a next hop or the scanners stand still.',
  },
  messagesFailed: {
    name: 'elemta_messages_failed_total',
    type: 'counter',
    help: 'Recipients failed for good',
    spike: 'Next hops refuse mail for ever: unknown users, a policy there, or a route of ours that is wrong.',
  },
  deliveryAttempts: {
    name: 'elemta_delivery_attempts_total',
    type: 'counter',
    help: 'Recipients tried',
    spike: 'More mail, or the same mail again and again: compare with retries.',
    labels: { route: ROUTE },
  },
  deliverySuccesses: {
    name: 'elemta_delivery_successes_total',
    type: 'counter',
    help: 'Recipients for which the next hop said 2yz',
    spike: 'A fall against attempts is what hurts: look at the failures and their reasons.',
    labels: { route: ROUTE },
  },
  deliveryFailures: {
    name: 'elemta_delivery_failures_total',
    type: 'counter',
    help: 'Recipients not delivered in an attempt',
    spike: 'deferred: a next hop is down, full or greylists; failed: it refuses for ever.',
    labels: { route: ROUTE, kind: ['deferred', 'failed'] },
  },
  deliveryRetries: {
    name: 'elemta_delivery_retries_total',
    type: 'counter',
    help: 'Recipients tried again after a deferral',
    spike: 'Mail is late because of earlier deferrals; it ends when the next hop is back.',
    labels: { route: ROUTE },
  },
  deliveryDuration: {
    name: 'elemta_delivery_duration_seconds',
    type: 'histogram',
    buckets: SECONDS,
    exemplars: true,
    help: 'One attempt, connection to outcome',
    spike: 'A next hop or the way to it is slow: its queue grows here before it does anywhere else.',
    labels: { route: ROUTE },
  },
  firstAttemptDelay: {
    name: 'elemta_delivery_first_attempt_delay_seconds',
    type: 'histogram',
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 14400],
    exemplars: true,
    help: 'Per recipient: from acceptance, or release, to the end of the first delivery attempt',
    spike: 'We are late, whatever the next hop says then: scanners, the queue or the workers are behind.',
  },
  deliveryFailureReasons: {
    name: 'elemta_delivery_failure_reasons_total',
    type: 'counter',
    help: 'Recipients not delivered in an attempt, by what was in the way',
    spike:
      'connection, tls, dns, timeout: the way there; session, message: what the next hop said; policy: our own rules.',
    labels: {
      route: ROUTE,
      reason: [
        'connection', // refused, unreachable, closed
        'tls',
        'dns', // no such domain, or nobody knows
        'session', // greeting, EHLO, login, 421
        'message', // what the next hop said to this message or recipient, or our own disk
        'timeout',
        'policy', // no route, MTA-STS, an address that mail must not go to
      ],
    },
  },
  deliveryPostponed: {
    name: 'elemta_delivery_postponed_total',
    type: 'counter',
    help: 'Recipients put off without an attempt, and why',
    spike: 'down: their destination is, and only probes go there; busy, rate: limits hold mail back.',
    labels: {
      reason: [
        'down', // their destination is
        'busy', // and nobody gets through
        'rate', // of the route
      ],
    },
  },
  deliveryInDoubt: {
    name: 'elemta_delivery_in_doubt_total',
    type: 'counter',
    help: 'Recipients whose next hop may have the message although no outcome is known: tried again, perhaps twice there',
    spike: 'crash: the process dies in the middle of deliveries; no-reply: a next hop goes away after the final dot.',
    labels: { reason: ['crash', 'no-reply'] },
  },
  destinationsDown: {
    name: 'elemta_delivery_destinations_down',
    type: 'gauge',
    help: 'Destinations to which only probes go',
    spike: 'So many next hops do not answer; their mail waits and goes out when a probe gets through.',
  },
  dsns: {
    name: 'elemta_dsn_total',
    type: 'counter',
    help: 'Reports queued for senders',
    spike: 'failed: much mail bounces; delayed: mail waits for hours already.',
    labels: { action: ['failed', 'delayed', 'delivered', 'relayed'] },
  },
  dsnsSuppressed: {
    name: 'elemta_dsn_suppressed_total',
    type: 'counter',
    help: 'Recipients whose failure the sender was not told of, and why',
    spike: 'null-sender, not-clean, rate: backscatter that was not sent; usual while somebody forges senders.',
    labels: {
      reason: [
        'null-sender',
        'never', // not wanted: NOTIFY
        'not-clean', // its sender may be forged
        'rate', // too many reports for one sender, of whatever kind
        'report', // the message is a report, or an automatic answer, itself
      ],
    },
  },
  dsnsLost: {
    name: 'elemta_dsn_lost_total',
    type: 'counter',
    help: 'Reports that could not be written: the sender was not told',
    spike: 'Senders believe that their mail arrived: read the log for why.',
  },
  doubleBounces: {
    name: 'elemta_double_bounces_total',
    type: 'counter',
    help: 'Recipients of messages from the null sender, reports most often, that failed',
    spike: 'Reports to senders that do not exist: forged mail gets as far as bouncing.',
  },
} as const satisfies Group
