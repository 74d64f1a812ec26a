// Makes a table as the schema has it, for emulators: the CDK makes the real ones.
import {
  CreateTableCommand,
  type CreateTableCommandInput,
  type DynamoDBClient,
  UpdateTimeToLiveCommand,
  type UpdateTimeToLiveCommandInput,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb'
import type { IndexSchema, TableSchema } from './aws-schema.ts'

/** Resolves when the table can be used. `timeToLive: false` is for emulators that don't know it. */
export async function createTable(
  client: DynamoDBClient,
  name: string,
  schema: TableSchema,
  options: Readonly<{ timeToLive?: boolean }> = {},
): Promise<void> {
  await client.send(new CreateTableCommand(tableRequest(name, schema)))
  await waitUntilTableExists({ client, maxWaitTime: 60, minDelay: 0.01, maxDelay: 1 }, { TableName: name })
  if (options.timeToLive === false) return
  await client.send(new UpdateTimeToLiveCommand(timeToLiveRequest(name, schema)))
}

/** What CreateTable is asked. */
export function tableRequest(TableName: string, { partition, sort, indexes }: TableSchema): CreateTableCommandInput {
  const keys = [{ partition, sort }, ...indexes]
  const schema = (key: { partition: string; sort: string }) => [
    { AttributeName: key.partition, KeyType: 'HASH' as const },
    { AttributeName: key.sort, KeyType: 'RANGE' as const },
  ]
  const names = new Set(keys.flatMap(key => [key.partition, key.sort]))
  return {
    TableName,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [...names].map(AttributeName => ({ AttributeName, AttributeType: 'S' })),
    KeySchema: schema({ partition, sort }),
    GlobalSecondaryIndexes: indexes.map(index => ({
      IndexName: index.name,
      KeySchema: schema(index),
      Projection: projectionOf(index),
    })),
  }
}

/** What UpdateTimeToLive is asked, once the table is there. */
export function timeToLiveRequest(TableName: string, { timeToLive }: TableSchema): UpdateTimeToLiveCommandInput {
  return { TableName, TimeToLiveSpecification: { AttributeName: timeToLive, Enabled: true } }
}

function projectionOf({ include }: IndexSchema) {
  if (include === undefined) return { ProjectionType: 'KEYS_ONLY' as const }
  return { ProjectionType: 'INCLUDE' as const, NonKeyAttributes: [...include] }
}
