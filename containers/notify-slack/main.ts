// notify-slack where there are no functions: hears the alert topics by HTTP and tells Slack what the function of the same
// name would. Subscribes by itself, and again when the emulator has forgotten everything. Without a webhook it prints
// what Slack would be told. Healthy while it is subscribed.
import { createNotifySlack } from '../../functions/notify-slack/notify-slack.ts'
import { CONTAINER_TOPICS, EMULATOR } from '../../monitoring/aws/container-alertmanager.ts'
import { environment } from '../../src/platform/environment.ts'
import { createLog } from '../../src/platform/log.ts'
import { keepSubscribed } from './subscriptions-sns.ts'
import { startTopicServer } from './topic-server.ts'

const PORT = 8080

const log = createLog()
const topics = [CONTAINER_TOPICS.critical, CONTAINER_TOPICS.warning]
const { ELEMTA_OWN_URL: own = `http://notify-slack:${PORT}`, AWS_ENDPOINT_URL: endpoint = EMULATOR.endpoint } =
  environment
const webhook = environment.SLACK_WEBHOOK_URL || `http://127.0.0.1:${PORT}/slack`

const subscriptions = keepSubscribed({ endpoint, region: EMULATOR.region, topics, url: `${own}/sns`, log })
const server = await startTopicServer({
  port: PORT,
  topics,
  notify: createNotifySlack(async () => webhook),
  confirm: subscriptions.confirm,
  isReady: subscriptions.areThere,
  log,
})
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    subscriptions.stop()
    server.close()
  })
}
