// Faults behind the door: next hops that refuse or are gone, mail that is late, lost, or cannot be worked on.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Fault } from '../fault.ts'
import { type SmtpSink, startSmtpSink } from '../smtp-sink.ts'
import type { Stack } from '../stack.ts'
import { makeOlder, putBack, type Taken, takeRows } from './spool-sqlite.ts'

const LATE = 120_000
const LATER = '451 4.2.1 Not now'

let taken: Taken[] = []
let backAgain: SmtpSink | undefined

export const DELIVERY_FAULTS: readonly Fault[] = [
  {
    what: 'the next hop answers 451 to every recipient, while mail comes',
    stack: 'delivery',
    proves: [
      { alert: 'HighDeliveryFailureRate', severity: 'critical' },
      { alert: 'QueueSizeGrowing', severity: 'warning' },
      { alert: 'OldestMessageTooOld', severity: 'warning', labels: { queue_type: 'deferred' } },
    ],
    async inject(stack) {
      stack.nextHop.answerRecipients(LATER)
      stack.repeat(200, () => stack.send('clean'))
    },
    heal: async ({ nextHop }) => nextHop.answerRecipients(),
  },
  {
    what: 'mail is two minutes old when it is first tried',
    stack: 'delivery',
    proves: [
      { alert: 'TimelinessErrorBudgetBurn', severity: 'critical' },
      { alert: 'TimelinessErrorBudgetBurn', severity: 'warning', afterHealing: true },
    ],
    // Rspamd keeps it for a second, in which the spool is told that it came two minutes ago.
    async inject(stack) {
      stack.rspamd.delay(1_000)
      stack.repeat(300, () => stack.send('clean'))
      stack.repeat(100, async () => makeOlder(stack.gateway.dataDir, LATE))
    },
    heal: async ({ rspamd }) => rspamd.delay(0),
  },
  {
    what: 'the content of a message is gone when its job is done, five times',
    stack: 'delivery',
    proves: [{ alert: 'DeadLetters', severity: 'warning' }],
    async inject(stack) {
      const queueId = await deferred(stack)
      taken = takeRows(stack.gateway.dataDir, 'content', queueId)
      if (taken.length !== 1) throw new Error(`${queueId} has no content in the database`)
    },
    async heal(stack) {
      putBack(stack.gateway.dataDir, taken)
      stack.nextHop.answerRecipients()
      await stack.gateway.elemta('dlq', 'replay', 'ALL', '--yes')
    },
  },
  {
    what: 'the job of a deferred message is taken out of the spool',
    stack: 'delivery',
    proves: [
      { alert: 'LedgerImbalance', severity: 'critical' },
      { alert: 'LossErrorBudgetBurn', severity: 'critical' },
      { alert: 'LossErrorBudgetBurn', severity: 'warning', afterHealing: true },
    ],
    // The ledger is read every minute, and at the start: that is quicker.
    async inject(stack) {
      const queueId = await deferred(stack)
      await stack.gateway.stop()
      taken = takeRows(stack.gateway.dataDir, 'jobs', queueId)
      if (taken.length !== 1) throw new Error(`${queueId} has ${taken.length} jobs`)
      await stack.gateway.start()
    },
    async heal(stack) {
      await stack.gateway.stop()
      putBack(stack.gateway.dataDir, taken)
      stack.nextHop.answerRecipients()
      await stack.gateway.start()
    },
  },
  {
    what: 'nobody listens where a domain’s mail is to go',
    stack: 'delivery',
    proves: [{ alert: 'DestinationDown', severity: 'warning' }],
    async inject(stack) {
      stack.repeat(500, () => stack.send('clean', 'bob@down.example.com'))
    },
    async heal({ closedPort, onStop }) {
      backAgain = await startSmtpSink(closedPort)
      onStop(() => backAgain!.close())
    },
  },
]

/** Sends a message that waits for its next attempt, and tells its queue id. */
async function deferred({ nextHop, send }: Stack): Promise<string> {
  nextHop.answerRecipients(LATER)
  const { text } = await send('clean')
  const queueId = /queued as (\w{20})/.exec(text)?.[1]
  if (queueId === undefined) throw new Error(`the message was not taken: ${text}`)
  await sleep(1_500) // scanned, tried, and put off
  return queueId
}
