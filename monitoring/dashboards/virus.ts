// ClamAV: what it found, how fresh its signatures are, and whether they can be believed.

import { MappingType, type ValueMapping } from '@grafana/grafana-foundation-sdk/dashboard'
import type { Row } from './dashboard.ts'
import { any, none, over, overSeconds } from './limits.ts'
import { stat, timeseries } from './panel.ts'
import { maxOf, perMinute, recorded, sumOf } from './query.ts'

export const virusDetection = (): Row => ({
  title: 'Virus detection (ClamAV)',
  panels: [
    detectionRate(),
    databaseAge(4),
    databaseVersion(),
    lastUpdate(),
    signatureStorm(),
    updateCooldown(),
    scansAndViruses(),
    scanErrors(),
    clamd(),
  ],
})

const detectionRate = () =>
  stat({
    title: 'Virus detection rate',
    description:
      'Share of ClamAV scans of the last 15 minutes that found a virus. Well below 1 % on most days. Empty without scans.',
    unit: 'percentunit',
    width: 4,
    steps: over({ critical: 'virus_ratio' }),
    alerts: ['HighVirusDetectionRate'],
    queries: [{ expr: recorded('elemta:virus_detected:ratio_rate15m'), legend: 'viruses' }],
  })

export const databaseAge = (width: number) =>
  stat({
    title: 'Signature age',
    description:
      'Since the signatures in use were built. New ones come about once a day. Unknown: clamd has not said, or has only the built-in test signatures, which is no protection.',
    unit: 's',
    width,
    mappings: says('-1', 'unknown'),
    steps: overSeconds({ warning: 'database_age_warning', critical: 'database_age_critical' }),
    alerts: ['ClamAVDatabaseOutdated'],
    queries: [{ expr: `${recorded('elemta:clamav_database:age_seconds')} or vector(-1)`, legend: 'age' }],
  })

const databaseVersion = () =>
  stat({
    title: 'Signature version',
    description: 'Version of the daily signatures in use. 0: unknown, or the built-in test set.',
    unit: 'none',
    decimals: 0,
    width: 4,
    queries: [{ expr: maxOf('elemta_clamav_database_version'), legend: 'version' }],
  })

const lastUpdate = () =>
  stat({
    title: 'Last successful update',
    description:
      'When freshclam last found or fetched the newest signatures. Never: there was none yet, or updates are somebody else’s task.',
    unit: 'dateTimeFromNow',
    width: 4,
    mappings: says('0', 'never'),
    alerts: ['SignatureUpdateFailing'],
    queries: [{ expr: `1000 * ${maxOf('elemta_clamav_update_success_timestamp')}`, legend: 'update' }],
  })

const signatureStorm = () =>
  stat({
    title: 'Signature storm',
    description: 'On while one signature hits too often to be believed: a bad signature quarantines good mail.',
    unit: 'bool_on_off',
    width: 4,
    steps: any('red'),
    alerts: ['SignatureStorm'],
    queries: [{ expr: maxOf('elemta_clamav_signature_storm'), legend: 'storm' }],
  })

const updateCooldown = () =>
  stat({
    title: 'Mirror asked to stay away',
    description:
      'Seconds until freshclam may ask its mirror again. 0 is normal; above it the mirror thinks we asked too often.',
    unit: 's',
    width: 4,
    alerts: ['SignatureUpdateFailing'],
    queries: [
      { expr: `clamp_min(${maxOf('elemta_clamav_update_cooldown_until_timestamp')} - time(), 0)`, legend: 'cool-down' },
    ],
  })

const scansAndViruses = () =>
  timeseries({
    title: 'ClamAV scans and virus detections',
    description: 'Per minute: scans, viruses, suspicious findings (heuristics) and hits that an operator lets pass.',
    unit: 'short',
    width: 8,
    alerts: ['HighVirusDetectionRate'],
    queries: [
      { expr: perMinute('elemta_clamav_scans_total'), legend: 'scans' },
      { expr: perMinute('elemta_clamav_virus_detected_total'), legend: 'viruses' },
      { expr: perMinute('elemta_clamav_heuristics_total'), legend: 'suspicious' },
      { expr: perMinute('elemta_clamav_ignored_total'), legend: 'ignored' },
    ],
  })

const scanErrors = () =>
  timeseries({
    title: 'ClamAV scan errors',
    description: 'Scans per minute without a result, by kind. Such mail is never taken for clean. 0 is good.',
    unit: 'short',
    width: 8,
    alerts: ['ScannerDown'],
    queries: [{ expr: perMinute('elemta_clamav_scan_errors_total', { by: 'failure' }), legend: '{{failure}}' }],
  })

const clamd = () =>
  timeseries({
    title: 'clamd threads and queue',
    description:
      'As clamd itself reports (exporter). A queue above zero for long: too few threads. No data: the exporter is not scraped.',
    unit: 'short',
    width: 8,
    alerts: ['ExporterDown'],
    queries: [
      { expr: 'sum by (state) (clamav_threads)', legend: 'threads {{state}}' },
      { expr: 'sum(clamav_queue_items)', legend: 'queue' },
    ],
  })

export const unscanned = (width: number) =>
  timeseries({
    title: 'Passed unscanned',
    description: 'Messages per minute passed on that a scanner did not see. 0 is the only good number.',
    unit: 'short',
    width,
    alerts: ['UnscannedMail', 'ScanCoverageErrorBudgetBurn'],
    queries: [{ expr: perMinute('elemta_unscanned_messages_total'), legend: 'unscanned' }],
  })

export const scannersUp = (width: number) =>
  stat({
    title: 'Scanners',
    description:
      'On when the scanner answered its last ping. Off: mail waits (defer), or passes with a tag where so configured.',
    unit: 'bool_on_off',
    width,
    steps: none(),
    alerts: ['ScannerDown'],
    queries: [
      {
        expr: 'min by (scanner) (elemta_scanner_up{instance=~"$instance"} and on (instance, scanner) (elemta_scanner_configured == 1))',
        legend: '{{scanner}}',
      },
    ],
  })

export const scannersConfigured = (width: number) =>
  stat({
    title: 'Scanners configured',
    description: 'Scanners that mail has to pass. 0: all mail passes unscanned.',
    unit: 'short',
    width,
    steps: none(),
    alerts: ['UnscannedMail'],
    queries: [{ expr: sumOf('elemta_scanners_configured', { by: 'instance' }), legend: '{{instance}}' }],
  })

/** A value that stands for having none, in words. */
const says = (value: string, text: string): ValueMapping[] => [
  { type: MappingType.ValueToText, options: { [value]: { text, color: 'orange', index: 0 } } },
]
