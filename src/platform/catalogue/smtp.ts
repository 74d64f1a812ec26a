// The SMTP side: connections, and what becomes of the transactions on them.
import { type Group, LONG_SECONDS, SECONDS } from './definition.ts'

export const smtp = {
  connectionsTotal: {
    name: 'elemta_connections_total',
    type: 'counter',
    help: 'SMTP connections accepted',
    spike:
      'More clients than usual: a campaign, an attack, or a sender in a loop; a fall to nothing: nobody reaches us.',
  },
  connectionsActive: {
    name: 'elemta_connections_active',
    type: 'gauge',
    help: 'SMTP connections open now',
    spike:
      'Clients come faster than they are served, or stay: slow replies here, or somebody who holds connections open.',
  },
  connectionDuration: {
    name: 'elemta_connection_duration_seconds',
    type: 'histogram',
    buckets: LONG_SECONDS,
    help: 'From connect to close',
    spike: 'Sessions last longer: slow clients, slow look-ups while the client waits, or large messages.',
  },
  connectionErrors: {
    name: 'elemta_connection_errors_total',
    type: 'counter',
    help: 'Connections that ended badly',
    spike:
      'By its reason: limits reached (too-many…), clients in trouble (timeout, reset), or abuse (errors, refused-recipients).',
    labels: {
      reason: [
        'too-many', // global limit: 421
        'too-many-from-client',
        'timeout',
        'errors', // too many errors: 421
        'reset', // closed by the client in the middle of a transaction
        'refused-recipients', // too many refused recipients: 421
        'proxy', // no PROXY header, or a bad one, where one is due
      ],
    },
  },
  messagesReceived: {
    name: 'elemta_messages_received_total',
    type: 'counter',
    help: 'Messages accepted: 250 after the dot',
    spike: 'More mail than usual; a fall while connections go on: mail is refused, look at rejected and tempfailed.',
  },
  messagesRejected: {
    name: 'elemta_messages_rejected_total',
    type: 'counter',
    help: 'Transactions refused, by where',
    spike: 'Abuse that is being stopped, or a policy that has become too strict: the log says who and why.',
    labels: { stage: ['connect', 'mail', 'rcpt', 'data'] },
  },
  messagesDeferredAtIngress: {
    name: 'elemta_messages_tempfailed_total',
    type: 'counter',
    help: 'Not accepted for now, the client keeps it: 4yz to MAIL or after the dot, by whose doing',
    spike: 'storage, room, other: we cannot take mail, and senders wait because of us; policy, scan: meant so.',
    labels: {
      reason: [
        'storage', // the content could not be made durable
        'room', // too much waits, or the disk is full
        'policy', // a plugin or a before-queue policy defers: greylisting, rates, look-ups
        'scan', // a scanner wants it to come again
        'other', // an error that nobody classified
      ],
    },
  },
  recipientsAccepted: {
    name: 'elemta_recipients_accepted_total',
    type: 'counter',
    help: 'Recipients of accepted messages',
    spike: 'Faster than messages: mail to many at once, such as a list or a stolen account that sends spam.',
  },
  messageSize: {
    name: 'elemta_message_size_bytes',
    type: 'histogram',
    buckets: [1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864],
    help: 'Octets of accepted messages',
    spike: 'Larger mail: expect more disk, and longer scans and deliveries.',
  },
  acceptDuration: {
    name: 'elemta_accept_duration_seconds',
    type: 'histogram',
    buckets: SECONDS,
    exemplars: true,
    help: 'From the final dot to the 250: making durable',
    spike: 'The disk is slow or busy, or before-queue scans are: clients wait, and some will give up and send again.',
  },
  beforeQueue: {
    name: 'elemta_before_queue_scans_total',
    type: 'counter',
    help: 'Scans while the client waited',
    spike: 'queued: scanners do not answer in time; rejected: spam or viruses are being refused.',
    labels: {
      outcome: [
        'accepted',
        'rejected',
        'deferred', // soft reject: 451
        'queued', // no verdict in time: accepted, and scanned from the queue
      ],
    },
  },
} as const satisfies Group
