// Lambda: messages of the alert topics to Slack. The webhook's URL is a field of a secret, read once for each copy of the
// function and again after a failure. An error is thrown: Lambda tries twice more, then the message lies in
// the dead-letter queue.
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { NOTIFY_SLACK_ENVIRONMENT } from '../../monitoring/aws/function-contracts.ts'
import { environment } from '../../src/platform/environment.ts'
import { parseNotice } from './notice.ts'
import { type PostOptions, postToSlack } from './post.ts'
import { recentlyTold } from './recently-told.ts'
import { slackMessage } from './slack-message.ts'

type SnsEvent = Readonly<{ Records: readonly Readonly<{ Sns: Readonly<{ Subject?: string; Message: string }> }>[] }>
type Context = Readonly<{ getRemainingTimeInMillis?: () => number }>

export type NotifySlack = (event: SnsEvent, context?: Context) => Promise<void>

/** `webhookUrl` is asked once, and again after a failure. */
export function createNotifySlack(webhookUrl: () => Promise<string>, options: PostOptions = {}): NotifySlack {
  const told = recentlyTold()
  let known: Promise<string> | undefined
  return async ({ Records }, context) => {
    const deadline = Date.now() + (context?.getRemainingTimeInMillis?.() ?? 30_000) - 1_000
    for (const { Sns } of Records) {
      const notice = parseNotice(Sns.Subject, Sns.Message)
      if (told.has(notice.key, Date.now())) continue
      known ??= webhookUrl()
      try {
        await postToSlack(await known, slackMessage(notice), { deadline, ...options })
      } catch (error) {
        known = undefined
        throw error
      }
      told.add(notice.key, Date.now())
    }
  }
}

async function urlFromSecret(): Promise<string> {
  const SecretId = environment[NOTIFY_SLACK_ENVIRONMENT.webhookSecret]
  const { SecretString = '' } = await new SecretsManagerClient().send(new GetSecretValueCommand({ SecretId }))
  const { url } = JSON.parse(SecretString) as { url?: string }
  if (!url) throw new Error('the secret SlackWebhook is still empty: put {"url": "https://hooks.slack.com/…"} into it')
  return url
}

export const handler = createNotifySlack(urlFromSecret)
