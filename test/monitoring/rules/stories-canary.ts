// The canary: it does not come through, or comes through otherwise than it must.
import { event, NONE, type RuleStories } from './story.ts'

const SENT = 'elemta_canary_sent_total{instance="a",kind="eicar"}'
const SUCCESS = 'elemta_canary_last_success_timestamp_seconds{instance="a",kind="eicar"}'
const eicar = [{ kind: 'eicar' }]

export const canaryStories: readonly RuleStories[] = [
  {
    alert: 'CanaryMissing',
    severity: 'critical',
    stories: {
      // The last that came through was at ten minutes; five minutes later it is missed, and two later told of.
      fires: [
        {
          series: { [SENT]: '0+1x60', [SUCCESS]: '0+60x10 600+0x50' },
          steps: [
            ['17m', NONE],
            ['18m', eicar],
          ],
        },
        // It never came through at all.
        { series: { [SENT]: '1+1x60', [SUCCESS]: '0+0x60' }, steps: [['10m', eicar]] },
      ],
      boundary: [
        {
          series: { [SENT]: '0+1x60', [SUCCESS]: '0+60x10 600+0x4 900+60x30' },
          steps: [
            ['15m', NONE],
            ['20m', NONE],
          ],
        },
        // Nobody has asked for a canary.
        { series: { [SENT]: '0+0x60', [SUCCESS]: '0+0x60' }, steps: [['60m', NONE]] },
      ],
      resolves: [
        {
          series: { [SENT]: '0+1x60', [SUCCESS]: '0+60x10 600+0x14 1560+60x30' },
          steps: [
            ['20m', eicar],
            ['30m', NONE],
          ],
        },
      ],
      absent: [
        { series: {}, steps: [['60m', NONE]] },
        // It was sent until it was not: the sender is gone, or somebody has switched it off.
        {
          series: { [SENT]: '0+1x10 stale', [SUCCESS]: '0+60x10 stale' },
          steps: [
            ['12m', NONE],
            ['13m', eicar],
            ['50m', eicar],
          ],
        },
      ],
      restart: [
        {
          series: { [SENT]: '0+1x10 0+1x30', [SUCCESS]: '0+60x10 0 720+60x30' },
          steps: [
            ['11m', NONE],
            ['13m', NONE],
          ],
        },
      ],
    },
  },
  {
    alert: 'CanaryWrong',
    severity: 'critical',
    value: '1',
    stories: event('elemta_canary_results_total{instance="a",kind="gtube",result="wrong"}', {
      window: 10,
      firing: [{ kind: 'gtube' }],
    }),
  },
]
