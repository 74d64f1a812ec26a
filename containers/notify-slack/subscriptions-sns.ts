// Our subscriptions to the topics: made where they are missing, looked at again and again, since an emulator forgets them
// when it stops. As on AWS, what is marked as meant for people does not come here (lib/constructs/alert-topics.ts).
import { setTimeout as wait } from 'node:timers/promises'
import {
  ConfirmSubscriptionCommand,
  ListSubscriptionsByTopicCommand,
  SNSClient,
  SubscribeCommand,
} from '@aws-sdk/client-sns'
import { FOR_PEOPLE } from '../../monitoring/aws/alert-manager.ts'
import type { Log } from '../../src/platform/log.ts'

/** Milliseconds between two looks; shorter until all are there. */
const INTERVAL = 15_000
const FIRST_INTERVAL = 1_000

export type SubscriptionsOptions = Readonly<{
  endpoint: string
  region: string
  /** ARNs. */
  topics: readonly string[]
  /** Where we hear them. */
  url: string
  log: Log
  interval?: number
}>

export type Subscriptions = Readonly<{
  /** Answers a topic that asks whether we mean it. */
  confirm(topic: string, token: string): Promise<void>
  /** At the last look. */
  areThere(): boolean
  stop(): void
}>

export function keepSubscribed(options: SubscriptionsOptions): Subscriptions {
  const { endpoint, region, topics, url, log, interval = INTERVAL } = options
  const client = new SNSClient({ endpoint, region })
  const stopped = new AbortController()
  let areThere = false

  async function subscribe(topic: string): Promise<boolean> {
    const { Subscriptions = [] } = await client.send(new ListSubscriptionsByTopicCommand({ TopicArn: topic }))
    const ours = Subscriptions.filter(({ Endpoint }) => Endpoint === url)
    if (ours.some(({ SubscriptionArn }) => SubscriptionArn?.startsWith('arn:'))) return true
    if (ours.length > 0) return false // it is to be confirmed
    const FilterPolicy = JSON.stringify({ [FOR_PEOPLE]: [{ exists: false }] })
    await client.send(
      new SubscribeCommand({ TopicArn: topic, Protocol: 'http', Endpoint: url, Attributes: { FilterPolicy } }),
    )
    return false
  }

  async function look(): Promise<void> {
    const before = areThere
    try {
      areThere = (await Promise.all(topics.map(subscribe))).every(Boolean)
      if (areThere && !before) log.info({ topics }, 'topics-subscribed')
    } catch (error) {
      areThere = false
      log.warn({ why: String(error) }, 'topics-failed')
    }
  }

  async function looks(): Promise<void> {
    while (!stopped.signal.aborted) {
      await look()
      const pause = areThere ? interval : FIRST_INTERVAL
      await wait(pause, undefined, { signal: stopped.signal }).catch(() => undefined)
    }
    client.destroy()
  }

  void looks()
  return {
    async confirm(topic, token) {
      await client.send(new ConfirmSubscriptionCommand({ TopicArn: topic, Token: token }))
    },
    areThere: () => areThere,
    stop: () => stopped.abort(),
  }
}
