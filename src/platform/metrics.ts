// The catalogue: every metric of Elemta with its type, labels and meaning, created on a registry of its own.
// Label values come from closed sets and stand at zero from the start, so that `rate()` and alerts never meet a
// missing series. Never an address, a subject or a client's IP in a label. Durations are histograms in seconds.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
const LONG_SECONDS = [0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14400, 86400, 432000]
const BYTES = [1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864]
const SCORES = [-10, -5, -2, 0, 2, 4, 6, 8, 10, 15, 20, 30, 50]

const RSPAMD_ACTIONS = [
  'no action',
  'greylist',
  'add header',
  'rewrite subject',
  'soft reject',
  'reject',
  'discard',
  'quarantine',
] as const
const FAILURES = ['unreachable', 'timeout', 'too-large', 'protocol'] as const
const DECISIONS = ['deliver', 'tag', 'quarantine', 'discard', 'rescan', 'hold'] as const
export const QUEUE_TYPES = ['incoming', 'active', 'deferred', 'held', 'failed'] as const

export type Metrics = ReturnType<typeof createMetrics>

/** All metrics on a fresh registry. `process` adds Node's own (`nodejs_*`, `process_*`): once per process. */
export function createMetrics({ process = false } = {}) {
  const registry = new Registry()
  const registers = [registry]
  if (process) collectDefaultMetrics({ register: registry })

  const counter = (name: string, help: string) => new Counter({ name, help, registers })
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers })
  const histogram = (name: string, help: string, buckets = SECONDS) => new Histogram({ name, help, buckets, registers })

  /** A counter with one label whose values are all known: each is at zero from the start. */
  function counterBy<V extends string>(name: string, help: string, label: string, values: readonly V[]) {
    const metric = new Counter({ name, help, labelNames: [label], registers })
    for (const value of values) metric.labels(value).inc(0)
    return { inc: (value: V, by = 1) => metric.labels(value).inc(by) }
  }
  function gaugeBy<V extends string>(name: string, help: string, label: string, values: readonly V[]) {
    const metric = new Gauge({ name, help, labelNames: [label], registers })
    for (const value of values) metric.labels(value).set(0)
    return { set: (value: V, to: number) => metric.labels(value).set(to) }
  }

  const pluginExecutions = new Counter({
    name: 'elemta_plugin_execution_total',
    help: 'Hooks and scans run, by what came of it; log: refused, had mode been enforce',
    labelNames: ['plugin', 'outcome'],
    registers,
  })
  for (const scanner of ['clamav', 'rspamd']) {
    for (const outcome of ['pass', 'error']) pluginExecutions.labels(scanner, outcome).inc(0)
  }

  return {
    registry,

    connectionsTotal: counter('elemta_connections_total', 'SMTP connections accepted'),
    connectionsActive: gauge('elemta_connections_active', 'SMTP connections open now'),
    connectionDuration: histogram('elemta_connection_duration_seconds', 'From connect to close', LONG_SECONDS),
    connectionErrors: counterBy('elemta_connection_errors_total', 'Connections that ended badly', 'reason', [
      'too-many', // global limit: 421
      'too-many-from-client',
      'timeout',
      'errors', // too many errors: 421
      'reset', // closed by the client in the middle of a transaction
      'refused-recipients', // too many refused recipients: 421
      'proxy', // no PROXY header, or a bad one, where one is due
    ]),
    backPressure: gaugeBy('elemta_back_pressure', '1 while mail is refused with 451 for it', 'reason', [
      'queue',
      'disk',
    ]),

    tlsConnections: counterBy('elemta_tls_connections_total', 'Handshakes that succeeded', 'version', [
      'TLSv1.2',
      'TLSv1.3',
    ]),
    tlsHandshakeFailures: counter('elemta_tls_handshake_failures_total', 'Handshakes that failed'),
    tlsCertificateExpiry: new Gauge({
      name: 'elemta_tls_certificate_expiry_seconds',
      help: 'When a certificate of the listeners ends, seconds since 1970; by the first name in it',
      labelNames: ['certificate'],
      registers,
    }),
    authAttempts: counter('elemta_auth_attempts_total', 'AUTH commands that brought a name and a password'),
    authSuccesses: counter('elemta_auth_successes_total', 'Logins'),
    authFailures: counterBy('elemta_auth_failures_total', 'Attempts that were no login', 'reason', [
      'password', // wrong password or no such user
      'limited', // too many failures before
      'unavailable', // the users could not be asked: 454
      'aborted', // the client gave up in the middle, or what it sent was no SASL
    ]),

    pluginExecutions,
    pluginTime: new Histogram({
      name: 'elemta_plugin_execution_time_seconds',
      help: 'One hook, or one scan',
      labelNames: ['plugin'],
      buckets: SECONDS,
      registers,
    }),
    rateLimited: counterBy('elemta_rate_limited_total', 'Deferred because a rate was exceeded', 'rate', [
      'connections',
      'messages',
      'recipients',
      'octets',
      'user_messages',
      'user_recipients',
    ]),

    greylistingTotal: counter('elemta_greylisting_total', 'Recipients that greylisting was asked about'),
    greylistingPassed: counterBy('elemta_greylisting_passed_total', 'Recipients let through, and why', 'reason', [
      'waited', // came back after the delay
      'known', // the triplet has passed before
      'auto-allowed', // the client has passed often enough
      'allowlist',
      'spf', // SPF pass of a domain in spf_allow
      'unsuspicious', // only_suspicious, and nothing is
      'trusted', // authenticated, or of our networks
      'store-failed', // a greylist must not stop mail
    ]),
    greylistingDeferred: counterBy('elemta_greylisting_deferred_total', 'Recipients deferred, and why', 'reason', [
      'new',
      'early', // came back before the delay was over
    ]),
    greylistingActive: gauge('elemta_greylisting_active', 'Triplets remembered'),
    greylistingCleanup: counter('elemta_greylisting_cleanup_total', 'Triplets whose time was over, removed'),
    greylistingDelay: histogram(
      'elemta_greylisting_delay_seconds',
      'From the first deferral to the pass: what greylisting cost',
      LONG_SECONDS,
    ),

    beforeQueue: counterBy('elemta_before_queue_scans_total', 'Scans while the client waited', 'outcome', [
      'accepted',
      'rejected',
      'deferred', // soft reject: 451
      'queued', // no verdict in time: accepted, and scanned from the queue
    ]),
    configReloads: counterBy('elemta_config_reloads_total', 'SIGHUP', 'outcome', ['success', 'failure']),
    messagesReceived: counter('elemta_messages_received_total', 'Messages accepted: 250 after the dot'),
    messagesRejected: counterBy('elemta_messages_rejected_total', 'Transactions refused, by where', 'stage', [
      'connect',
      'mail',
      'rcpt',
      'data',
    ]),
    messagesDeferredAtIngress: counter(
      'elemta_messages_tempfailed_total',
      'Not accepted for now, the client keeps it: 4yz after the dot, or at MAIL for want of room',
    ),
    recipientsAccepted: counter('elemta_recipients_accepted_total', 'Recipients of accepted messages'),
    messageSize: histogram('elemta_message_size_bytes', 'Octets of accepted messages', BYTES),
    acceptDuration: histogram('elemta_accept_duration_seconds', 'From the final dot to the 250: making durable'),

    queueSize: gaugeBy(
      'elemta_queue_size',
      'Jobs by where they stand; failed: dead letters',
      'queue_type',
      QUEUE_TYPES,
    ),
    queueOldestAge: gaugeBy(
      'elemta_queue_oldest_age_seconds',
      'Age of the oldest message waiting',
      'queue_type',
      QUEUE_TYPES,
    ),
    queueProcessingTime: histogram(
      'elemta_queue_processing_time_seconds',
      'From acceptance to the last recipient’s end state',
      LONG_SECONDS,
    ),
    jobCrashes: counterBy('elemta_job_crashes_total', 'Jobs whose worker failed or died', 'stage', [
      'scan',
      'delivery',
    ]),
    deadLetters: counterBy('elemta_dead_letters_total', 'Jobs given up after too many crashes', 'stage', [
      'scan',
      'delivery',
    ]),
    ledgerImbalance: gauge(
      'elemta_ledger_imbalance',
      'Accepted recipients that are in no queue and have no end state; must be 0',
    ),

    messagesDelivered: counter('elemta_messages_delivered_total', 'Recipients delivered'),
    messagesFailed: counter('elemta_messages_failed_total', 'Recipients failed for good'),
    deliveryAttempts: counter('elemta_delivery_attempts_total', 'Recipients tried'),
    deliverySuccesses: counter('elemta_delivery_successes_total', 'Recipients for which the next hop said 2yz'),
    deliveryFailures: counterBy('elemta_delivery_failures_total', 'Recipients not delivered in an attempt', 'kind', [
      'deferred',
      'failed',
    ]),
    deliveryRetries: counter('elemta_delivery_retries_total', 'Recipients tried again after a deferral'),
    deliveryDuration: histogram('elemta_delivery_duration_seconds', 'One attempt, connection to outcome'),
    deliveryFailureReasons: counterBy(
      'elemta_delivery_failure_reasons_total',
      'Recipients not delivered in an attempt, by what was in the way',
      'reason',
      [
        'connection', // refused, unreachable, closed
        'tls',
        'dns', // no such domain, or nobody knows
        'session', // greeting, EHLO, login, 421
        'message', // what the next hop said to this message or recipient, or our own disk
        'timeout',
        'policy', // no route, MTA-STS, an address that mail must not go to
      ],
    ),
    deliveryPostponed: counterBy(
      'elemta_delivery_postponed_total',
      'Recipients put off without an attempt, and why',
      'reason',
      [
        'down', // their destination is
        'busy', // and nobody gets through
        'rate', // of the route
      ],
    ),
    destinationsDown: gauge('elemta_delivery_destinations_down', 'Destinations to which only probes go'),

    dsns: counterBy('elemta_dsn_total', 'Reports queued for senders', 'action', [
      'failed',
      'delayed',
      'delivered',
      'relayed',
    ]),
    dsnsSuppressed: counterBy(
      'elemta_dsn_suppressed_total',
      'Recipients whose failure the sender was not told of, and why',
      'reason',
      [
        'null-sender',
        'never', // not wanted: NOTIFY
        'not-clean', // its sender may be forged
        'rate', // too many reports for one sender, of whatever kind
        'report', // the message is a report, or an automatic answer, itself
      ],
    ),
    dsnsLost: counter('elemta_dsn_lost_total', 'Reports that could not be written: the sender was not told'),
    doubleBounces: counter(
      'elemta_double_bounces_total',
      'Recipients of messages from the null sender, reports most often, that failed',
    ),

    verdicts: counterBy('elemta_verdicts_total', 'Verdicts by decision', 'decision', DECISIONS),
    quarantineSize: gauge('elemta_quarantine_size', 'Recipients whose mail is in quarantine'),
    quarantineOldestAge: gauge('elemta_quarantine_oldest_age_seconds', 'Age of the oldest message in quarantine'),
    quarantineReleased: counter('elemta_quarantine_released_total', 'Recipients released: the next hop has taken it'),
    quarantineDiscarded: counter('elemta_quarantine_discarded_total', 'Recipients whose mail a person discarded'),
    quarantineExpired: counter('elemta_quarantine_expired_total', 'Recipients discarded because their time was over'),
    releasesRefused: counter('elemta_quarantine_releases_refused_total', 'Releases that ended in quarantine again'),

    unscannedMessages: counter(
      'elemta_unscanned_messages_total',
      'Messages passed on that a scanner did not see, or with no scanner configured',
    ),
    scannersConfigured: gauge('elemta_scanners_configured', 'Scanners that mail has to pass; 0: mail passes unscanned'),
    scanLatency: histogram('elemta_security_scan_latency_seconds', 'All scanners of one message together'),
    scannerUp: gaugeBy('elemta_scanner_up', '1 when the scanner answered its last ping', 'scanner', [
      'clamav',
      'rspamd',
    ]),

    clamavScans: counter('elemta_clamav_scans_total', 'ClamAV scans begun'),
    clamavViruses: counter('elemta_clamav_virus_detected_total', 'Scans that found a virus'),
    clamavHeuristics: counter('elemta_clamav_heuristics_total', 'Scans that found something suspicious: Heuristics.*'),
    clamavIgnored: counter('elemta_clamav_ignored_total', 'Hits of signatures that an operator lets pass'),
    clamavSignatureStorm: gauge('elemta_clamav_signature_storm', '1 while a signature hits too often to be believed'),
    clamavErrors: counterBy('elemta_clamav_scan_errors_total', 'Scans without a result', 'failure', FAILURES),
    clamavDuration: histogram('elemta_clamav_scan_duration_seconds', 'One ClamAV scan'),
    clamavDatabaseUpdated: gauge(
      'elemta_clamav_database_updated_timestamp',
      'When the signatures were built, seconds since 1970; 0: unknown or the built-in test set',
    ),
    clamavDatabaseVersion: gauge('elemta_clamav_database_version', 'Version of the daily signatures; 0: unknown'),
    clamavUpdateSucceeded: gauge(
      'elemta_clamav_update_success_timestamp',
      'When freshclam last found or fetched the newest signatures, seconds since 1970; 0: never, or not ours to do',
    ),
    clamavUpdateCooldown: gauge(
      'elemta_clamav_update_cooldown_until_timestamp',
      'Until when the mirror asked us to stay away, seconds since 1970; 0: it did not',
    ),

    rspamdScans: counter('elemta_rspamd_scans_total', 'Rspamd scans begun'),
    rspamdSpam: counter('elemta_rspamd_spam_total', 'Scans scored as spam: add header and above'),
    rspamdHam: counter('elemta_rspamd_ham_total', 'Scans scored below add header'),
    rspamdErrors: counterBy('elemta_rspamd_scan_errors_total', 'Scans without a result', 'failure', FAILURES),
    rspamdDuration: histogram('elemta_rspamd_scan_duration_seconds', 'One Rspamd scan'),
    rspamdScore: histogram('elemta_rspamd_score', 'Scores', SCORES),
    rspamdActions: counterBy('elemta_rspamd_actions_total', 'Actions that Rspamd proposed', 'action', RSPAMD_ACTIONS),
  }
}
