// What a topic of SNS posts to: confirms subscriptions to our topics, passes notifications on, refuses all else. What was
// not told is answered with 500, so that the topic tries again. /slack is for who has no Slack: prints what it is told.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { text } from 'node:stream/consumers'
import type { NotifySlack } from '../../functions/notify-slack/notify-slack.ts'
import type { Log } from '../../src/platform/log.ts'

export type TopicServerOptions = Readonly<{
  port: number
  /** ARNs of those that are ours. */
  topics: readonly string[]
  notify: NotifySlack
  confirm(topic: string, token: string): Promise<void>
  isReady(): boolean
  log: Log
}>

/** https://docs.aws.amazon.com/sns/latest/dg/http-notification-json.html */
type Posted = Readonly<{ Type?: string; TopicArn?: string; Token?: string; Subject?: string; Message?: string }>

/** Octets: a message of SNS has at most 256 KB, which JSON may make twice as long. */
const LONGEST = 1024 * 1024

/** Resolves when it listens. */
export async function startTopicServer(options: TopicServerOptions): Promise<Server> {
  const { port, isReady, log } = options
  const server = createServer(async (request, response) => {
    const status = await answer(request).catch((error: unknown) => {
      log.error({ why: String(error) }, 'alert-not-told')
      return 500
    })
    response.writeHead(status).end()
  })

  async function answer(request: IncomingMessage): Promise<number> {
    const { method, url } = request
    if (method === 'GET' && url === '/healthz') return isReady() ? 200 : 503
    if (method !== 'POST' || Number(request.headers['content-length'] ?? 0) > LONGEST) return 404
    if (url === '/sns') return hear(JSON.parse(await text(request)) as Posted, options)
    if (url !== '/slack') return 404
    log.info({ slack: JSON.parse(await text(request)) }, 'alert-told')
    return 200
  }

  server.listen(port)
  await once(server, 'listening')
  return server
}

async function hear(posted: Posted, { topics, notify, confirm, log }: TopicServerOptions): Promise<number> {
  const { Type, TopicArn = '', Token, Subject, Message = '' } = posted
  if (!topics.includes(TopicArn)) {
    log.warn({ topic: TopicArn }, 'topic-refused')
    return 403
  }
  switch (Type) {
    case 'SubscriptionConfirmation':
      if (Token === undefined) return 400
      await confirm(TopicArn, Token)
      return 200
    case 'Notification':
      await notify({ Records: [{ Sns: { Message, ...(Subject != null && { Subject }) } }] })
      return 200
    default:
      return 200 // we are told that we unsubscribed
  }
}
