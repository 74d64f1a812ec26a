// Makes a table as the schema has it, for emulators: the CDK makes the real ones.
import {
  CreateTableCommand,
  type DynamoDBClient,
  UpdateTimeToLiveCommand,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb'
import type { TableSchema } from './aws-schema.ts'

/** Resolves when the table can be used. `timeToLive: false` is for emulators that don't know it. */
export async function createTable(
  client: DynamoDBClient,
  TableName: string,
  { partition, sort, indexes, timeToLive }: TableSchema,
  options: Readonly<{ timeToLive?: boolean }> = {},
): Promise<void> {
  const keys = [{ partition, sort }, ...indexes]
  const schema = (key: { partition: string; sort: string }) => [
    { AttributeName: key.partition, KeyType: 'HASH' as const },
    { AttributeName: key.sort, KeyType: 'RANGE' as const },
  ]
  const names = new Set(keys.flatMap(key => [key.partition, key.sort]))
  await client.send(
    new CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [...names].map(AttributeName => ({ AttributeName, AttributeType: 'S' })),
      KeySchema: schema({ partition, sort }),
      GlobalSecondaryIndexes: indexes.map(index => ({
        IndexName: index.name,
        KeySchema: schema(index),
        Projection: { ProjectionType: 'KEYS_ONLY' },
      })),
    }),
  )
  await waitUntilTableExists({ client, maxWaitTime: 60, minDelay: 0.01, maxDelay: 1 }, { TableName })
  if (options.timeToLive === false) return
  const TimeToLiveSpecification = { AttributeName: timeToLive, Enabled: true }
  await client.send(new UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification }))
}
