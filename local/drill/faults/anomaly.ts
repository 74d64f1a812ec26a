// What is unusual for the hour, where a day takes nine seconds: two days of steady mail, then something else.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Fault } from '../fault.ts'
import type { Stack } from '../stack.ts'

const STEADY = 350 // ms between messages
const BURST = 60
const BURSTS_AT_ONCE = 3

export const ANOMALY_FAULTS: readonly Fault[] = [
  {
    what: 'after two steady days much more mail comes than at this hour',
    stack: 'anomaly',
    proves: [{ alert: 'MailVolumeAnomaly', severity: 'info' }],
    prepare: stack => steadyDays(stack, 'elemta:messages_received:zscore7d'),
    async inject(stack) {
      for (let n = 0; n < BURSTS_AT_ONCE; n++) stack.repeat(BURST, () => stack.send('clean'))
    },
    heal: async stack => steady(stack),
  },
  {
    what: 'after two days without spam every message holds GTUBE',
    stack: 'anomaly',
    proves: [{ alert: 'SpamRateAnomaly', severity: 'info' }],
    prepare: stack => steadyDays(stack, 'elemta:rspamd_spam:zscore7d'),
    async inject(stack) {
      await stack.still()
      stack.repeat(STEADY, () => stack.send('gtube'))
    },
    heal: async stack => steady(stack),
  },
]

const steady = (stack: Stack) => stack.repeat(STEADY, () => stack.send('clean'))

/** Until the baseline is known. */
async function steadyDays(stack: Stack, score: string): Promise<void> {
  await stack.still()
  steady(stack)
  while ((await stack.prometheus().query(score)).length === 0) await sleep(500)
}
