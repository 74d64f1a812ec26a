// Tells Slack what a topic says, for whoever hears it: the function on AWS (handler.ts), a container elsewhere
// (containers/notify-slack). Rejects when Slack did not take it: the caller tries again, or keeps the message.
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
