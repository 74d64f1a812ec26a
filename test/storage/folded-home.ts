// The home on DynamoDB whose messages are all accepted with a scan job in one step, as ingress does: so they are folded.
import { type DynamoHome, dynamoHome } from './dynamo-home.ts'

export async function foldedHome(): Promise<DynamoHome> {
  const home = await dynamoHome()
  return {
    ...home,
    async open() {
      const backends = await home.open()
      const { records, scanJobs, together } = backends
      return {
        ...backends,
        records: {
          ...records,
          create(message, event) {
            const { queueId, envelope } = message
            const recipients = [...new Set(envelope.recipients.map(({ address }) => address))]
            const job = { kind: 'scan', id: `${queueId}/scan/1`, queueId, recipients, attempt: 1 } as const
            return together(
              () => records.create(message, event),
              () => scanJobs.enqueue(job),
            )
          },
        },
      }
    },
  }
}
