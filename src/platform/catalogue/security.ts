// Security around the scanners: TLS, logins, verdicts, threats, quarantine.
import { type Group, SECONDS } from './definition.ts'

/** Families of threats, from signatures' names (src/scan/threat-type.ts) and from spam scores. */
export const THREATS = [
  'test', // EICAR, GTUBE
  'trojan',
  'worm',
  'ransomware',
  'phishing',
  'exploit',
  'macro',
  'downloader',
  'backdoor',
  'malware', // a virus of no family above
  'encrypted', // could not be looked into
  'suspicious', // any other heuristic
  'spam',
] as const

export const security = {
  tlsConnections: {
    name: 'elemta_tls_connections_total',
    type: 'counter',
    help: 'Handshakes that succeeded',
    spike: 'Follows connections; a fall against them: clients cannot, or no longer want to, speak TLS with us.',
    labels: { version: ['TLSv1.2', 'TLSv1.3'] },
  },
  tlsHandshakeFailures: {
    name: 'elemta_tls_handshake_failures_total',
    type: 'counter',
    help: 'Handshakes that failed',
    spike: 'Old clients, scanners of the internet, or a certificate of ours that nobody trusts.',
  },
  tlsCertificateExpiry: {
    name: 'elemta_tls_certificate_expiry_seconds',
    type: 'gauge',
    help: 'When a certificate of the listeners ends, seconds since 1970; by the first name in it',
    spike: 'Jumps ahead at each renewal; when it does not, the certificate ends at this time.',
    labels: { certificate: { from: 'the certificates of the listeners' } },
  },
  authAttempts: {
    name: 'elemta_auth_attempts_total',
    type: 'counter',
    help: 'AUTH commands that brought a name and a password',
    spike: 'Somebody tries passwords, or a client logs in again and again.',
  },
  authSuccesses: {
    name: 'elemta_auth_successes_total',
    type: 'counter',
    help: 'Logins',
    spike: 'Follows users at work; a rise at night may be a stolen password.',
  },
  authFailures: {
    name: 'elemta_auth_failures_total',
    type: 'counter',
    help: 'Attempts that were no login',
    spike: 'password, limited: passwords are being guessed; unavailable: the directory of users does not answer.',
    labels: {
      reason: [
        'password', // wrong password or no such user
        'limited', // too many failures before
        'unavailable', // the users could not be asked: 454
        'aborted', // the client gave up in the middle, or what it sent was no SASL
      ],
    },
  },
  verdicts: {
    name: 'elemta_verdicts_total',
    type: 'counter',
    help: 'Verdicts by decision',
    spike: 'quarantine, discard: a wave of bad mail, or a rule gone wrong; rescan, hold: a scanner does not answer.',
    labels: { decision: ['deliver', 'tag', 'quarantine', 'discard', 'rescan', 'hold'] },
  },
  threats: {
    name: 'elemta_threats_total',
    type: 'counter',
    help: 'Threats found in messages, by family: from ClamAV’s signatures and Rspamd’s scores',
    spike: 'A wave of that family; one family alone that jumps may be a signature that finds what is not there.',
    labels: { type: THREATS },
  },
  unscannedMessages: {
    name: 'elemta_unscanned_messages_total',
    type: 'counter',
    help: 'Messages passed on that a scanner did not see, or with no scanner configured',
    spike: 'Mail reaches people unseen: a scanner with on_error: tag is down, or refuses messages for their size.',
  },
  scanLatency: {
    name: 'elemta_security_scan_latency_seconds',
    type: 'histogram',
    buckets: SECONDS,
    exemplars: true,
    help: 'All scanners of one message together',
    spike: 'The slowest scanner sets the pace: compare the two scanners’ durations; DNS is Rspamd’s usual trouble.',
  },
  scannersConfigured: {
    name: 'elemta_scanners_configured',
    type: 'gauge',
    help: 'Scanners that mail has to pass; 0: mail passes unscanned',
    spike: 'A fall: somebody has taken a scanner out of the configuration.',
  },
  scannerConfigured: {
    name: 'elemta_scanner_configured',
    type: 'gauge',
    help: '1 when mail has to pass the scanner',
    spike: 'A fall: somebody has taken it out of the configuration; elemta_scanner_up says nothing of it then.',
    labels: { scanner: ['clamav', 'rspamd'] },
  },
  scannerUp: {
    name: 'elemta_scanner_up',
    type: 'gauge',
    help: '1 when the scanner answered its last ping',
    spike: '0: mail waits for it, or passes with a tag, as its on_error says.',
    labels: { scanner: ['clamav', 'rspamd'] },
  },
  quarantineSize: {
    name: 'elemta_quarantine_size',
    type: 'gauge',
    help: 'Recipients whose mail is in quarantine',
    spike: 'A wave of bad mail, or of false positives: elemta quarantine list.',
  },
  quarantineOldestAge: {
    name: 'elemta_quarantine_oldest_age_seconds',
    type: 'gauge',
    help: 'Age of the oldest message in quarantine',
    spike: 'Above quarantine.keep: what should have been discarded was not.',
  },
  quarantineReleased: {
    name: 'elemta_quarantine_released_total',
    type: 'counter',
    help: 'Recipients released: the next hop has taken it',
    spike: 'False positives that people want: a rule or a signature is too strict.',
  },
  quarantineDiscarded: {
    name: 'elemta_quarantine_discarded_total',
    type: 'counter',
    help: 'Recipients whose mail a person discarded',
    spike: 'Somebody tidies up.',
  },
  quarantineExpired: {
    name: 'elemta_quarantine_expired_total',
    type: 'counter',
    help: 'Recipients discarded because their time was over',
    spike: 'A wave of as long ago as quarantine.keep.',
  },
  releasesRefused: {
    name: 'elemta_quarantine_releases_refused_total',
    type: 'counter',
    help: 'Releases that ended in quarantine again',
    spike: 'Something else than before was found in what people released.',
  },
} as const satisfies Group
