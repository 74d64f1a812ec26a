// ClamAV's signatures: their age, known or not, and the updates. Told by the hour, and time begins in 1970.
import { gauge, hold, NONE, ONE, type RuleStories, type Series, type Story } from './story.ts'

const UPDATED = 'elemta_clamav_database_updated_timestamp{instance="a"}'
const SUCCEEDED = 'elemta_clamav_update_success_timestamp{instance="a"}'

/** A timestamp that must not get older than `hours`, looked at by the hour; told after an hour. */
function aging(series: string, hours: number): RuleStories['stories'] {
  const told = (values: string, ...steps: Story['steps']): Story => ({ series: { [series]: values }, steps })
  const at = (hour: number) => `${hour}h`
  return {
    fires: [told(`3600+0x${hours + 10}`, [at(hours + 1), NONE], [at(hours + 2), NONE], [at(hours + 3), ONE])],
    boundary: [told(`3600+0x${hours + 1} 360000+0x5`, [at(hours + 1), NONE], [at(hours + 3), NONE])],
    resolves: [told(`3600+0x${hours + 4} ${(hours + 5) * 3600}+0x10`, [at(hours + 4), ONE], [at(hours + 6), NONE])],
    absent: [
      { series: {}, steps: [[at(hours + 9), NONE]] },
      // 0 is no age.
      told(`0+0x${hours + 10}`, [at(hours + 9), NONE]),
    ],
    // It knows the age only after some time, and then it is not old.
    restart: [told(`3600+0x${hours} stale 0 ${hours * 3600}+0x9`, [at(hours + 2), NONE], [at(hours + 8), NONE])],
  }
}

const CONFIGURED = 'elemta_scanner_configured{instance="a",scanner="clamav"}'
const configured: Series = { [CONFIGURED]: '1+0x300' }

export const signatureStories: readonly RuleStories[] = [
  {
    alert: 'ClamAVDatabaseOutdated',
    severity: 'warning',
    every: '1h',
    value: '1d 2h 0m 0s',
    stories: aging(UPDATED, 24),
  },
  {
    alert: 'ClamAVDatabaseOutdated',
    severity: 'critical',
    every: '1h',
    value: '3d 2h 0m 0s',
    stories: aging(UPDATED, 72),
  },
  {
    alert: 'ClamAVDatabaseOutdated',
    severity: 'warning',
    labels: { state: 'unknown' },
    stories: {
      ...gauge(UPDATED, { limit: 1_700_000_000, over: 0, wait: 60, beside: configured }),
      absent: [
        { series: {}, steps: [['120m', NONE]] },
        // It is to scan, but there is no such series.
        {
          series: configured,
          steps: [
            ['59m', NONE],
            ['60m', ONE],
          ],
        },
        { series: { [CONFIGURED]: '0+0x200', [UPDATED]: '0+0x200' }, steps: [['120m', NONE]] },
        // Processes that do not scan know of none.
        {
          series: {
            'elemta_scanner_configured{instance="ingress",scanner="clamav"}': '0+0x200',
            'elemta_clamav_database_updated_timestamp{instance="ingress"}': '0+0x200',
            'elemta_scanner_configured{instance="scan",scanner="clamav"}': '1+0x200',
            'elemta_clamav_database_updated_timestamp{instance="scan"}': '1700000000+0x200',
          },
          steps: [['120m', NONE]],
        },
      ],
      // A start without a date, until clamd has loaded its signatures.
      restart: [
        {
          series: { ...configured, [UPDATED]: `${hold(1_700_000_000, 10)} stale 0+0x50 1700000000+0x90` },
          steps: [
            ['61m', NONE],
            ['120m', NONE],
          ],
        },
      ],
    },
  },
  {
    alert: 'SignatureUpdateFailing',
    severity: 'warning',
    every: '1h',
    value: '1d 14h 0m 0s',
    stories: aging(SUCCEEDED, 36),
  },
]
