// Availability: the gateway and its parts, restarts, reloads, Watchdog.
import { event, gauge, hold, NONE, ONE, type RuleStories, type Series } from './story.ts'

const UP = 'up{instance="a",job="elemta"}'
const elemta = [{ instance: 'a', job: 'elemta' }]

const ESSENTIAL = [
  'elemta_messages_received_total',
  'elemta_delivery_attempts_total',
  'elemta_verdicts_total{decision="deliver"}',
  'elemta_scanner_up{scanner="clamav"}',
  'elemta_ledger_imbalance',
]
const essential = (values: string): Series => Object.fromEntries(ESSENTIAL.map(series => [series, values]))
const QUEUE = 'elemta_queue_size{queue_type="incoming"}'

const START = 'process_start_time_seconds{instance="a",job="elemta"}'
const scanner = [{ scanner: 'clamav' }]
const CLAMAV_UP = 'elemta_scanner_up{instance="a",scanner="clamav"}'
const configured = { 'elemta_scanner_configured{instance="a",scanner="clamav"}': '1+0x60' }

export const availabilityStories: readonly RuleStories[] = [
  {
    alert: 'ElemtaDown',
    severity: 'critical',
    texts: { summary: 'Elemta does not answer at a', description: 'Prometheus cannot scrape a.' },
    stories: {
      fires: [
        {
          series: { [UP]: '1 1 0+0x10' },
          steps: [
            ['2m', NONE],
            ['3m', elemta],
          ],
        },
      ],
      boundary: [
        {
          series: { [UP]: '1 1 0 1+0x10' },
          steps: [
            ['2m', NONE],
            ['3m', NONE],
            ['5m', NONE],
          ],
        },
      ],
      resolves: [
        {
          series: { [UP]: '1 1 0+0x5 1+0x5' },
          steps: [
            ['4m', elemta],
            ['8m', NONE],
          ],
        },
      ],
      absent: [
        {
          series: {},
          steps: [
            ['0m', NONE],
            ['1m', [{ job: 'elemta' }]],
          ],
        },
      ],
      // A restart is over within a minute, however often.
      restart: [
        {
          series: { [UP]: '1 0 1 0 1 0 1+0x5' },
          steps: [
            ['2m', NONE],
            ['6m', NONE],
          ],
        },
      ],
    },
  },
  {
    alert: 'MetricsAbsent',
    severity: 'warning',
    stories: {
      fires: [
        {
          series: { [UP]: '1+0x30', ...essential('1+0x30') },
          steps: [
            ['4m', NONE],
            ['5m', [{ metric: 'elemta_queue_size' }]],
          ],
        },
      ],
      boundary: [
        { series: { [UP]: '1+0x30', ...essential('0+0x30'), [QUEUE]: '0+0x30' }, steps: [['20m', NONE]] },
        {
          series: { [UP]: '1+0x30', ...essential('1+0x30'), [QUEUE]: '1 1 stale _ _ _ _ 1+0x20' },
          steps: [
            ['6m', NONE],
            ['7m', NONE],
            ['12m', NONE],
          ],
        },
      ],
      resolves: [
        {
          series: { [UP]: '1+0x30', ...essential('1+0x30'), [QUEUE]: '_x9 1+0x20' },
          steps: [
            ['5m', [{ metric: 'elemta_queue_size' }]],
            ['12m', NONE],
          ],
        },
      ],
      // Nothing is there at all: that is ElemtaDown's to tell.
      absent: [{ series: {}, steps: [['20m', NONE]] }],
      restart: [
        {
          series: { [UP]: '1+0x5 0 0 1+0x20', ...essential('9+0x5 stale _ 0+0x20'), [QUEUE]: '9+0x5 stale _ 9+0x20' },
          steps: [
            ['7m', NONE],
            ['20m', NONE],
          ],
        },
      ],
    },
  },
  {
    alert: 'ScannerDown',
    severity: 'critical',
    stories: {
      ...gauge(CLAMAV_UP, { limit: 1, over: 0, wait: 2, firing: scanner, beside: configured }),
      absent: [
        { series: {}, steps: [['10m', NONE]] },
        // A scanner that nobody asked for is not down.
        { series: { [CLAMAV_UP]: '0+0x30', ...withoutClamav() }, steps: [['20m', NONE]] },
      ],
    },
  },
  {
    alert: 'ExporterDown',
    severity: 'warning',
    stories: gauge('up{instance="c",job="clamav"}', {
      ...{ limit: 1, over: 0, wait: 5, firing: [{ instance: 'c', job: 'clamav' }] },
      // Elemta itself has an alert of its own.
      beside: { [UP]: '0+0x60' },
    }),
  },
  {
    alert: 'RestartLoop',
    severity: 'critical',
    value: '4',
    stories: {
      fires: [
        {
          series: { [START]: '1 1 2 2 3 3 4 4 5+0x5' },
          steps: [
            ['7m', NONE],
            ['8m', elemta],
          ],
        },
      ],
      boundary: [
        {
          series: { [START]: '1 1 2 2 3 3 4+0x30' },
          steps: [
            ['6m', NONE],
            ['30m', NONE],
          ],
        },
        // Four, but not within half an hour.
        {
          series: { [START]: '1+0x9 2+0x9 3+0x9 4+0x9 5+0x30' },
          steps: [
            ['40m', NONE],
            ['60m', NONE],
          ],
        },
      ],
      resolves: [
        {
          series: { [START]: '1 1 2 2 3 3 4 4 5+0x60' },
          steps: [
            ['8m', elemta],
            ['40m', NONE],
          ],
        },
      ],
      absent: [{ series: {}, steps: [['40m', NONE]] }],
      // One restart of one instance is a deploy; other programs are not looked at.
      restart: [
        {
          series: { [START]: '1+0x9 2+0x30', 'process_start_time_seconds{instance="r",job="rspamd"}': '0+1x40' },
          steps: [
            ['10m', NONE],
            ['30m', NONE],
          ],
        },
      ],
    },
  },
  {
    alert: 'ReloadFailed',
    severity: 'warning',
    stories: event('elemta_config_reloads_total{instance="a",outcome="failure"}', {
      window: 30,
      firing: [{ instance: 'a' }],
    }),
  },
  {
    alert: 'Watchdog',
    severity: 'info',
    stories: {
      fires: [{ series: {}, steps: [['0m', ONE]] }],
      // It has no boundary and no end: whatever happens, it fires.
      boundary: [{ series: { [UP]: hold(0, 10) }, steps: [['5m', ONE]] }],
      resolves: [
        {
          series: {},
          steps: [
            ['0m', ONE],
            ['60m', ONE],
          ],
        },
      ],
      absent: [{ series: {}, steps: [['10m', ONE]] }],
      restart: [
        {
          series: { [UP]: '1 1 stale 1+0x5' },
          steps: [
            ['2m', ONE],
            ['5m', ONE],
          ],
        },
      ],
    },
  },
]

function withoutClamav(): Series {
  return { 'elemta_scanner_configured{instance="a",scanner="clamav"}': '0+0x60' }
}
