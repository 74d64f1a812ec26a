// Does greylisting keep anything out: passed, deferred, never returned.
import type { Row } from './dashboard.ts'
import { bars, stat, timeseries } from './panel.ts'
import { inRange, perMinute, recorded } from './query.ts'

export const effectiveness = (): Row => ({
  title: 'Greylisting effectiveness',
  panels: [asked(), passedShare(), deferredShare(), neverReturned(), course(), passReasons()],
})

const asked = () =>
  stat({
    title: 'Recipients asked about',
    description:
      'Recipients that greylisting decided on within the time range. 0: the plugin is off, or there was no mail.',
    unit: 'locale',
    decimals: 0,
    width: 6,
    queries: [{ expr: inRange('elemta_greylisting_total'), legend: 'recipients' }],
  })

const passedShare = () =>
  stat({
    title: 'Passed',
    description:
      'Share of recipients let through in the last hour. Most mail comes from known senders: far above half is good.',
    unit: 'percentunit',
    width: 6,
    queries: [{ expr: recorded('elemta:greylisting_passed:ratio_rate1h'), legend: 'passed' }],
  })

const deferredShare = () =>
  stat({
    title: 'Deferred',
    description:
      'Share of recipients deferred in the last hour. High after a fresh start, falling as senders become known.',
    unit: 'percentunit',
    width: 6,
    queries: [{ expr: recorded('elemta:greylisting_deferred:ratio_rate1h'), legend: 'deferred' }],
  })

const neverReturned = () =>
  stat({
    title: 'Never returned',
    description:
      'Triplets that never came back, for each new one deferred, over a day: what greylisting kept out. High is what it is for.',
    unit: 'percentunit',
    width: 6,
    queries: [{ expr: recorded('elemta:greylisting_never_returned:ratio_rate1d'), legend: 'never returned' }],
  })

const course = () =>
  timeseries({
    title: 'Greylisting effectiveness: passed, deferred, never returned',
    description:
      'Recipients per minute let through and deferred; triplets per minute that were dropped without coming back.',
    unit: 'short',
    width: 16,
    queries: [
      { expr: perMinute('elemta_greylisting_passed_total'), legend: 'passed' },
      { expr: perMinute('elemta_greylisting_deferred_total', { where: 'reason="new"' }), legend: 'deferred, new' },
      {
        expr: perMinute('elemta_greylisting_deferred_total', { where: 'reason="early"' }),
        legend: 'deferred, too early',
      },
      {
        expr: perMinute('elemta_greylisting_cleanup_total', { where: 'reason="never-returned"' }),
        legend: 'never returned',
      },
    ],
  })

const passReasons = () =>
  bars({
    title: 'Why mail passed',
    description:
      'Recipients let through within the time range, by reason. store-failed is the only bad one: the store did not answer.',
    unit: 'locale',
    decimals: 0,
    width: 8,
    queries: [{ expr: inRange('elemta_greylisting_passed_total', { by: 'reason' }), legend: '{{reason}}' }],
  })
