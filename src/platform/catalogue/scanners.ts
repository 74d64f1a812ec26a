// ClamAV and Rspamd, as the gateway sees them: each answer counted and timed where it is waited for.
import { type Group, SECONDS } from './definition.ts'

const FAILURES = ['unreachable', 'timeout', 'too-large', 'protocol'] as const

export const scanners = {
  clamavScans: {
    name: 'elemta_clamav_scans_total',
    type: 'counter',
    help: 'ClamAV scans begun',
    spike: 'Follows received mail; more than that: the same messages are scanned again because scans fail.',
  },
  clamavViruses: {
    name: 'elemta_clamav_virus_detected_total',
    type: 'counter',
    help: 'Scans that found a virus',
    spike: 'A wave of malware, or a signature that finds what is not there: look at the signatures in the log.',
  },
  clamavHeuristics: {
    name: 'elemta_clamav_heuristics_total',
    type: 'counter',
    help: 'Scans that found something suspicious: Heuristics.*',
    spike: 'Encrypted archives, macros, phishing links: often a campaign, at times a customer’s new habit.',
  },
  clamavIgnored: {
    name: 'elemta_clamav_ignored_total',
    type: 'counter',
    help: 'Hits of signatures that an operator lets pass',
    spike: 'The false positive is still about: keep ignoring it; at 0 for days the exception can go.',
  },
  clamavSignatureStorm: {
    name: 'elemta_clamav_signature_storm',
    type: 'gauge',
    help: '1 while a signature hits too often to be believed',
    spike:
      '1: one signature finds itself in far too much mail; what it finds goes to quarantine, nothing is discarded.',
  },
  clamavErrors: {
    name: 'elemta_clamav_scan_errors_total',
    type: 'counter',
    help: 'Scans without a result',
    spike:
      'unreachable, timeout: clamd is down or overloaded; too-large: beyond its StreamMaxLength; protocol: it broke off.',
    labels: { failure: FAILURES },
  },
  clamavDuration: {
    name: 'elemta_clamav_scan_duration_seconds',
    type: 'histogram',
    buckets: SECONDS,
    exemplars: true,
    help: 'One ClamAV scan',
    spike: 'clamd is busy, reloading its database or short of memory; large archives take long by themselves.',
  },
  clamavDatabaseUpdated: {
    name: 'elemta_clamav_database_updated_timestamp',
    type: 'gauge',
    help: 'When the signatures were built, seconds since 1970; 0: unknown or the built-in test set',
    spike: 'Jumps ahead about once a day; when it stands still, new malware is not found.',
  },
  clamavDatabaseVersion: {
    name: 'elemta_clamav_database_version',
    type: 'gauge',
    help: 'Version of the daily signatures; 0: unknown',
    spike: 'Rises with each update; a fall: an old database was put back.',
  },
  clamavUpdateSucceeded: {
    name: 'elemta_clamav_update_success_timestamp',
    type: 'gauge',
    help: 'When freshclam last found or fetched the newest signatures, seconds since 1970; 0: never, or not ours to do',
    spike: 'When it stands still, the mirror cannot be reached or refuses us.',
  },
  clamavUpdateCooldown: {
    name: 'elemta_clamav_update_cooldown_until_timestamp',
    type: 'gauge',
    help: 'Until when the mirror asked us to stay away, seconds since 1970; 0: it did not',
    spike: 'We asked the mirror too often: share one database or use a mirror of your own.',
  },
  rspamdScans: {
    name: 'elemta_rspamd_scans_total',
    type: 'counter',
    help: 'Rspamd scans begun',
    spike: 'Follows received mail; more than that: the same messages are scanned again because scans fail.',
  },
  rspamdSpam: {
    name: 'elemta_rspamd_spam_total',
    type: 'counter',
    help: 'Scans scored as spam: add header and above',
    spike: 'A wave of spam; with ham falling at the same rate, a rule or a blocklist that has gone wrong.',
  },
  rspamdHam: {
    name: 'elemta_rspamd_ham_total',
    type: 'counter',
    help: 'Scans scored below add header',
    spike: 'A rise with complaints about spam: Rspamd has lost its lists, its DNS or its statistics.',
  },
  rspamdErrors: {
    name: 'elemta_rspamd_scan_errors_total',
    type: 'counter',
    help: 'Scans without a result',
    spike: 'unreachable, timeout: rspamd is down or its DNS is; too-large: beyond max_message; protocol: it broke off.',
    labels: { failure: FAILURES },
  },
  rspamdDuration: {
    name: 'elemta_rspamd_scan_duration_seconds',
    type: 'histogram',
    buckets: SECONDS,
    exemplars: true,
    help: 'One Rspamd scan',
    spike: 'DNS answers late, most often; at six to eight seconds it does not answer at all.',
  },
  rspamdScore: {
    name: 'elemta_rspamd_score',
    type: 'histogram',
    buckets: [-10, -5, -2, 0, 2, 4, 6, 8, 10, 15, 20, 30, 50],
    help: 'Scores',
    spike: 'A shift of the middle, without a change of mail: weights, lists or statistics have changed.',
  },
  rspamdActions: {
    name: 'elemta_rspamd_actions_total',
    type: 'counter',
    help: 'Actions that Rspamd proposed',
    spike:
      'reject, add header: spam; soft reject, greylist: switched on at Rspamd, where they have no meaning behind us.',
    labels: {
      action: [
        'no action',
        'greylist',
        'add header',
        'rewrite subject',
        'soft reject',
        'reject',
        'discard',
        'quarantine',
      ],
    },
  },
} as const satisfies Group
