// Handing mail over, by route.
import type { Row } from './dashboard.ts'
import { any, over } from './limits.ts'
import { stat, timeseries } from './panel.ts'
import { maxOf, perMinute, quantiles, recorded } from './query.ts'

export const delivery = (): Row => ({
  title: 'Delivery',
  panels: [attemptsByRoute(), failuresByRoute(), deliveryFailureRatio(), deliveryTime(), retries(), postponed()],
})

const attemptsByRoute = () =>
  timeseries({
    title: 'Deliveries by route',
    description:
      'Recipients per minute taken by a next hop. A route that falls to zero while mail for it waits is down.',
    unit: 'short',
    width: 8,
    stacked: true,
    queries: [
      { expr: perMinute('elemta_delivery_successes_total', { by: 'route', route: true }), legend: '{{route}}' },
    ],
  })

const failuresByRoute = () =>
  timeseries({
    title: 'Failed attempts by route',
    description:
      'Recipients per minute not delivered in an attempt: deferred ones are tried again, failed ones are not.',
    unit: 'short',
    width: 8,
    alerts: ['HighDeliveryFailureRate'],
    queries: [
      {
        expr: perMinute('elemta_delivery_failures_total', { by: 'route, kind', route: true }),
        legend: '{{route}} {{kind}}',
      },
    ],
  })

export const deliveryFailureRatio = (width = 8) =>
  timeseries({
    title: 'Delivery failure rate',
    description:
      'Share of attempts of the last 15 minutes that failed, for now or for good, by route. Empty without attempts.',
    unit: 'percentunit',
    width,
    max: 1,
    steps: over({ critical: 'delivery_failure_ratio' }),
    alerts: ['HighDeliveryFailureRate'],
    queries: [
      { expr: recorded('elemta:delivery_failures:ratio_rate15m'), legend: 'all routes' },
      { expr: `${recorded('elemta_route:delivery_failures:ratio_rate15m')}{route=~"$route"}`, legend: '{{route}}' },
    ],
  })

const deliveryTime = () =>
  timeseries({
    title: 'Delivery time by route',
    description: 'One attempt, connection to outcome. Below a second in a local network. Empty without traffic.',
    unit: 's',
    width: 8,
    queries: quantiles('elemta_delivery_duration_seconds', { by: 'route', route: true }),
  })

export const retries = (width = 8) =>
  timeseries({
    title: 'Retries by route',
    description:
      'Recipients per minute tried again after a deferral. Some are normal; a rise is a next hop in trouble.',
    unit: 'short',
    width,
    queries: [{ expr: perMinute('elemta_delivery_retries_total', { by: 'route', route: true }), legend: '{{route}}' }],
  })

const postponed = () =>
  timeseries({
    title: 'Put off without an attempt',
    description:
      'Recipients per minute that were not even tried: destination down or busy, or the rate of the route reached.',
    unit: 'short',
    width: 8,
    alerts: ['DestinationDown'],
    queries: [{ expr: perMinute('elemta_delivery_postponed_total', { by: 'reason' }), legend: '{{reason}}' }],
  })

export const destinationsDown = (width = 6) =>
  stat({
    title: 'Destinations down',
    description: 'Next hops to which only probes go. 0 is good; their mail waits in deferred and is not lost.',
    unit: 'locale',
    decimals: 0,
    width,
    steps: any('orange'),
    alerts: ['DestinationDown'],
    queries: [{ expr: maxOf('elemta_delivery_destinations_down'), legend: 'down' }],
  })
