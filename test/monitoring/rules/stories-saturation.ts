// Saturation and delivery: connections, queues, back-pressure, next hops, dead letters, the ledger.
import { gauge, NONE, ONE, type RuleStories, share } from './story.ts'

const QUEUE = 'elemta_queue_size{instance="a",queue_type="deferred"}'

export const saturationStories: readonly RuleStories[] = [
  {
    alert: 'HighActiveConnections',
    severity: 'warning',
    value: '101',
    // Two instances are added up.
    stories: gauge('elemta_connections_active{instance="a"}', {
      ...{ limit: 60, over: 61, wait: 5 },
      beside: { 'elemta_connections_active{instance="b"}': '40+0x60' },
    }),
  },
  {
    alert: 'QueueSizeGrowing',
    severity: 'warning',
    value: '2.1k',
    stories: {
      fires: [
        {
          series: { [QUEUE]: '0+100x60' },
          steps: [
            ['20m', NONE],
            ['21m', ONE],
          ],
        },
      ],
      boundary: [
        // Long, but not growing.
        { series: { [QUEUE]: '5000+0x60' }, steps: [['60m', NONE]] },
        { series: { [QUEUE]: '6000-10x60' }, steps: [['60m', NONE]] },
        // Growing, to exactly the limit.
        {
          series: { [QUEUE]: '0+20x50 1000+0x20' },
          steps: [
            ['50m', NONE],
            ['65m', NONE],
          ],
        },
        // Dead letters and held mail are no queue.
        { series: { 'elemta_queue_size{instance="a",queue_type="failed"}': '0+100x60' }, steps: [['60m', NONE]] },
      ],
      resolves: [
        {
          series: { [QUEUE]: '0+100x40 4000-100x40' },
          steps: [
            ['40m', ONE],
            ['60m', NONE],
          ],
        },
      ],
      absent: [{ series: {}, steps: [['60m', NONE]] }],
      // The queue is on disk: after a restart it is as long as before, and that is no growth.
      restart: [
        {
          series: { [QUEUE]: '5000+0x30 stale 5000+0x30' },
          steps: [
            ['32m', NONE],
            ['60m', NONE],
          ],
        },
      ],
    },
  },
  {
    alert: 'OldestMessageTooOld',
    severity: 'warning',
    value: '10m 1s',
    stories: gauge('elemta_queue_oldest_age_seconds{instance="a",queue_type="incoming"}', {
      ...{ limit: 600, over: 601, wait: 1, firing: [{ queue_type: 'incoming' }] },
      // Deferred mail may wait for longer.
      beside: { 'elemta_queue_oldest_age_seconds{instance="a",queue_type="deferred"}': '28800+0x60' },
    }),
  },
  {
    alert: 'OldestMessageTooOld',
    severity: 'critical',
    value: '1h 0m 1s',
    stories: gauge('elemta_queue_oldest_age_seconds{instance="a",queue_type="incoming"}', {
      ...{ limit: 3600, over: 3601, wait: 1, firing: [{ queue_type: 'incoming' }] },
      beside: { 'elemta_queue_oldest_age_seconds{instance="a",queue_type="deferred"}': '400000+0x60' },
    }),
  },
  {
    alert: 'BackPressure',
    severity: 'critical',
    stories: gauge('elemta_back_pressure{instance="a",reason="disk"}', {
      ...{ limit: 0, over: 1, wait: 5, firing: [{ reason: 'disk' }] },
      beside: { 'elemta_back_pressure{instance="a",reason="queue"}': '0+0x60' },
    }),
  },
  {
    alert: 'HighDeliveryFailureRate',
    severity: 'critical',
    value: '25%',
    stories: share(
      {
        part: 'elemta_delivery_failures_total{instance="a",kind="deferred",route="default"}',
        whole: 'elemta_delivery_attempts_total{instance="a",route="default"}',
      },
      { limit: [16, 80], over: [20, 80], few: 1, wait: 15 },
    ),
  },
  {
    alert: 'DestinationDown',
    severity: 'warning',
    value: '1',
    stories: gauge('elemta_delivery_destinations_down{instance="a"}', { limit: 0, over: 1, wait: 10 }),
  },
  {
    alert: 'DeadLetters',
    severity: 'warning',
    value: '1',
    stories: gauge('elemta_queue_size{instance="a",queue_type="failed"}', {
      ...{ limit: 0, over: 1, wait: 5 },
      beside: { 'elemta_queue_size{instance="a",queue_type="deferred"}': '7+0x60' },
    }),
  },
  {
    alert: 'LedgerImbalance',
    severity: 'critical',
    value: '2',
    // More end states than recipients is as wrong as fewer.
    stories: gauge('elemta_ledger_imbalance{instance="a"}', {
      ...{ limit: 0, over: -2, wait: 15 },
      beside: { 'elemta_ledger_imbalance{instance="b"}': '0+0x60' },
    }),
  },
]
