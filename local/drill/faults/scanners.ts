// Faults of the scanners: gone, slow, or blind.
import type { Fault } from '../fault.ts'

const DAY = 86_400_000
const nothing = async () => {}
const fresh = () => ({ builtAt: new Date(), eicar: true })

export const SCANNER_FAULTS: readonly Fault[] = [
  {
    what: 'clamd is stopped',
    stack: 'scanners',
    proves: [{ alert: 'ScannerDown', severity: 'critical', labels: { scanner: 'clamav' } }],
    inject: ({ clamd }) => clamd.stop(),
    heal: ({ clamd }) => clamd.start(),
  },
  {
    what: 'clamd loads a database without EICAR',
    stack: 'scanners',
    proves: [{ alert: 'CanaryWrong', severity: 'critical', labels: { kind: 'eicar' } }],
    inject: ({ clamd }) => clamd.load({ builtAt: new Date(), eicar: false }),
    heal: ({ clamd }) => clamd.load(fresh()),
  },
  {
    what: 'clamd loads a database that was built two days ago',
    stack: 'scanners',
    proves: [{ alert: 'ClamAVDatabaseOutdated', severity: 'warning' }],
    inject: ({ clamd }) => clamd.load({ builtAt: new Date(Date.now() - 2 * DAY), eicar: true }),
    heal: ({ clamd }) => clamd.load(fresh()),
  },
  {
    what: 'clamd loads a database that was built four days ago',
    stack: 'scanners',
    proves: [{ alert: 'ClamAVDatabaseOutdated', severity: 'critical' }],
    inject: ({ clamd }) => clamd.load({ builtAt: new Date(Date.now() - 4 * DAY), eicar: true }),
    heal: ({ clamd }) => clamd.load(fresh()),
  },
  {
    what: 'clamd has signatures that bear no date',
    stack: 'scanners',
    proves: [{ alert: 'ClamAVDatabaseOutdated', severity: 'warning', labels: { state: 'unknown' } }],
    inject: ({ clamd }) => clamd.load({ ...fresh(), undated: true }),
    heal: ({ clamd }) => clamd.load(fresh()),
  },
  {
    what: 'rspamd answers two seconds late, and more mail comes than can be scanned',
    stack: 'scanners',
    proves: [
      { alert: 'SecurityScanLatencyHigh', severity: 'warning', labels: { statistic: 'mean' } },
      { alert: 'SecurityScanLatencyHigh', severity: 'warning', labels: { statistic: 'p95' } },
      { alert: 'CanaryMissing', severity: 'critical', labels: { kind: 'clean' } },
      { alert: 'OldestMessageTooOld', severity: 'critical', labels: { queue_type: 'incoming' } },
    ],
    async inject(stack) {
      stack.rspamd.delay(2_000)
      stack.repeat(500, () => stack.send('clean'))
    },
    heal: async ({ rspamd }) => rspamd.delay(0),
  },
  {
    what: 'rspamd cannot be reached, and its on_error is tag',
    stack: 'scanners',
    proves: [
      { alert: 'UnscannedMail', severity: 'critical' },
      { alert: 'ScanCoverageErrorBudgetBurn', severity: 'critical' },
      { alert: 'ScanCoverageErrorBudgetBurn', severity: 'warning', afterHealing: true },
    ],
    async inject(stack) {
      await stack.rspamd.close()
      stack.repeat(500, () => stack.send('clean'))
    },
    heal: ({ rspamd }) => rspamd.open(),
  },
  {
    what: 'every second message holds EICAR, so that one signature has all hits',
    stack: 'ingress',
    proves: [
      { alert: 'HighVirusDetectionRate', severity: 'critical' },
      { alert: 'SignatureStorm', severity: 'critical' },
    ],
    async inject(stack) {
      stack.repeat(100, async () => {
        await stack.send('eicar')
        await stack.send('clean')
      })
    },
    // A storm is over when ten minutes have passed; a gateway that starts knows of none.
    heal: ({ gateway }) => gateway.restart(),
  },
  {
    what: 'every message holds GTUBE',
    stack: 'ingress',
    proves: [{ alert: 'RspamdHighSpamRate', severity: 'info' }],
    async inject(stack) {
      stack.repeat(300, () => stack.send('gtube'))
    },
    heal: nothing,
  },
]
