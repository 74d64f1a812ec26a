// Lambda: messages of the alert topics to Slack. The webhook's URL is a field of a secret, read once for each copy of the
// function and again after a failure. An error is thrown: Lambda tries twice more, then the message lies in
// the dead-letter queue.
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { NOTIFY_SLACK_ENVIRONMENT } from '../../monitoring/aws/function-contracts.ts'
import { environment } from '../../src/platform/environment.ts'
import { createNotifySlack } from './notify-slack.ts'

async function urlFromSecret(): Promise<string> {
  const SecretId = environment[NOTIFY_SLACK_ENVIRONMENT.webhookSecret]
  const { SecretString = '' } = await new SecretsManagerClient().send(new GetSecretValueCommand({ SecretId }))
  const { url } = JSON.parse(SecretString) as { url?: string }
  if (!url) throw new Error('the secret SlackWebhook is still empty: put {"url": "https://hooks.slack.com/…"} into it')
  return url
}

export const handler = createNotifySlack(urlFromSecret)
