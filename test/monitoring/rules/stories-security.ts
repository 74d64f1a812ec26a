// Security: scans and their pace, viruses, spam, logins.
import { event, gauge, hold, NONE, ONE, type RuleStories, type Series, share } from './story.ts'

const LATENCY = 'elemta_security_scan_latency_seconds'

/** Scans of so many seconds each, `scans` a minute: as the histogram's sum and count tell them. */
const scans = (count: number, seconds: number, length = 40): Series => ({
  [`${LATENCY}_sum`]: `0+${count * seconds}x${length}`,
  [`${LATENCY}_count`]: `0+${count}x${length}`,
})

/** A hundred scans a minute, of which so many take between 10 and 30 seconds; and as many buckets as are needed. */
const slowest = (slow: number, length = 40, scale = 1): Series => ({
  [`${LATENCY}_bucket{le="10"}`]: `0+${(100 - slow) * scale}x${length}`,
  [`${LATENCY}_bucket{le="30"}`]: `0+${100 * scale}x${length}`,
  [`${LATENCY}_bucket{le="+Inf"}`]: `0+${100 * scale}x${length}`,
  [`${LATENCY}_count`]: `0+${100 * scale}x${length}`,
})

const twice = (series: Series): Series =>
  Object.fromEntries(Object.entries(series).map(([name, values]) => [name, `${values} ${values}`]))

export const securityStories: readonly RuleStories[] = [
  {
    alert: 'UnscannedMail',
    severity: 'critical',
    value: '1',
    stories: event('elemta_unscanned_messages_total{instance="a"}', { window: 15 }),
  },
  {
    alert: 'SecurityScanLatencyHigh',
    severity: 'warning',
    labels: { statistic: 'mean' },
    value: '6s',
    stories: {
      fires: [
        {
          series: scans(20, 6),
          steps: [
            ['5m', NONE],
            ['6m', ONE],
          ],
        },
      ],
      boundary: [
        { series: scans(20, 5), steps: [['30m', NONE]] },
        // Slow, but too few.
        { series: scans(1, 20), steps: [['30m', NONE]] },
      ],
      resolves: [
        {
          series: { [`${LATENCY}_sum`]: '0+120x20 2400+1x40', [`${LATENCY}_count`]: '0+20x60' },
          steps: [
            ['20m', ONE],
            ['30m', NONE],
          ],
        },
      ],
      absent: [
        { series: {}, steps: [['30m', NONE]] },
        // Nothing is scanned: no 0/0.
        { series: scans(0, 0), steps: [['30m', NONE]] },
      ],
      restart: [
        {
          series: twice(scans(20, 6, 19)),
          steps: [
            ['19m', ONE],
            ['21m', ONE],
            ['30m', ONE],
          ],
        },
        {
          series: twice(scans(20, 5, 19)),
          steps: [
            ['21m', NONE],
            ['30m', NONE],
          ],
        },
      ],
    },
  },
  {
    alert: 'SecurityScanLatencyHigh',
    severity: 'warning',
    labels: { statistic: 'p95' },
    value: '20s',
    stories: {
      fires: [
        {
          series: slowest(10),
          steps: [
            ['5m', NONE],
            ['6m', ONE],
          ],
        },
      ],
      boundary: [
        // Four in a hundred are slow: the 95th percentile is not.
        { series: slowest(4), steps: [['30m', NONE]] },
        // Exactly 15 seconds: the 95th percentile is a quarter into the slow ones.
        {
          series: {
            [`${LATENCY}_bucket{le="10"}`]: `0+90x40`,
            [`${LATENCY}_bucket{le="15"}`]: `0+95x40`,
            [`${LATENCY}_bucket{le="+Inf"}`]: `0+100x40`,
            [`${LATENCY}_count`]: `0+100x40`,
          },
          steps: [['30m', NONE]],
        },
        { series: slowest(10, 40, 0.01), steps: [['30m', NONE]] },
      ],
      resolves: [
        {
          series: {
            [`${LATENCY}_bucket{le="10"}`]: '0+90x20 1800+100x40',
            [`${LATENCY}_bucket{le="30"}`]: '0+100x61',
            [`${LATENCY}_bucket{le="+Inf"}`]: '0+100x61',
            [`${LATENCY}_count`]: '0+100x61',
          },
          steps: [
            ['20m', ONE],
            ['30m', NONE],
          ],
        },
      ],
      absent: [
        { series: {}, steps: [['30m', NONE]] },
        { series: slowest(0, 40, 0), steps: [['30m', NONE]] },
      ],
      restart: [
        {
          series: twice(slowest(10, 19)),
          steps: [
            ['19m', ONE],
            ['21m', ONE],
            ['30m', ONE],
          ],
        },
        {
          series: twice(slowest(4, 19)),
          steps: [
            ['21m', NONE],
            ['30m', NONE],
          ],
        },
      ],
    },
  },
  {
    alert: 'SignatureStorm',
    severity: 'critical',
    stories: gauge('elemta_clamav_signature_storm{instance="a"}', { limit: 0, over: 1, wait: 1 }),
  },
  {
    alert: 'HighVirusDetectionRate',
    severity: 'critical',
    value: '12.5%',
    stories: share(
      {
        part: 'elemta_clamav_virus_detected_total{instance="a"}',
        whole: 'elemta_clamav_scans_total{instance="a"}',
      },
      { limit: [16, 160], over: [20, 160], few: 3, wait: 5 },
    ),
  },
  {
    alert: 'RspamdHighSpamRate',
    severity: 'info',
    value: '33.33%',
    stories: spamShare(),
  },
  {
    alert: 'HighAuthFailureRate',
    severity: 'warning',
    value: '50%',
    stories: withAborted(
      share(
        {
          part: 'elemta_auth_failures_total{instance="a",reason="password"}',
          whole: 'elemta_auth_attempts_total{instance="a"}',
        },
        { limit: [30, 100], over: [50, 100], few: 1, wait: 5 },
      ),
    ),
  },
]

/** Spam is not a part of ham: the whole is their sum. */
function spamShare(): RuleStories['stories'] {
  const [spam, ham] = ['elemta_rspamd_spam_total{instance="a"}', 'elemta_rspamd_ham_total{instance="a"}']
  const both = (bad: string, good: string): Series => ({ [spam]: bad, [ham]: good })
  return {
    fires: [
      {
        series: both('0+40x40', '0+80x40'),
        steps: [
          ['5m', NONE],
          ['6m', ONE],
        ],
      },
    ],
    boundary: [
      {
        series: both('0+30x60', '0+70x60'),
        steps: [
          ['30m', NONE],
          ['60m', NONE],
        ],
      },
      {
        series: both('0+3x60', '0+0x60'),
        steps: [
          ['30m', NONE],
          ['60m', NONE],
        ],
      },
    ],
    resolves: [
      {
        series: both(`0+40x30 ${hold(1200, 40)}`, '0+80x70'),
        steps: [
          ['30m', ONE],
          ['60m', NONE],
        ],
      },
    ],
    absent: [
      { series: {}, steps: [['30m', NONE]] },
      { series: both(hold(0, 40), hold(0, 40)), steps: [['30m', NONE]] },
    ],
    restart: [
      {
        series: both('0+40x29 0+40x29', '0+80x29 0+80x29'),
        steps: [
          ['29m', ONE],
          ['31m', ONE],
          ['45m', ONE],
        ],
      },
      {
        series: both('0+30x29 0+30x29', '0+70x29 0+70x29'),
        steps: [
          ['31m', NONE],
          ['45m', NONE],
        ],
      },
    ],
  }
}

/** What was broken off in the middle is no failed login, however much there is of it. */
function withAborted(stories: RuleStories['stories']): RuleStories['stories'] {
  const aborted = { 'elemta_auth_failures_total{instance="a",reason="aborted"}': '0+500x70' }
  const boundary = stories.boundary.map(story => ({ ...story, series: { ...story.series, ...aborted } }))
  return { ...stories, boundary }
}
