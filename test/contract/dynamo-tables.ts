// Fresh DynamoDB tables for a test: on the emulator that the run was given (`npm run test:aws`), else on a dynalite of
// this process, which all tests of a file share.
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { afterAll, inject } from 'vitest'
import { POLICY_TABLE, RECORDS_TABLE } from '../../src/storage/aws-schema.ts'
import { createTable } from '../../src/storage/create-table-dynamodb.ts'
import { openTable, type Table } from '../../src/storage/table-dynamodb.ts'
import { type Dynalite, startDynalite } from './dynalite.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Address of an emulator; absent: dynalite. */
    dynamodbEndpoint?: string
  }
}

const SCHEMAS = { records: RECORDS_TABLE, policy: POLICY_TABLE } as const

let dynalite: Promise<Dynalite> | undefined
let client: DynamoDBClient | undefined
let tables = 0

/** The dynalite of this file, for tests that look at it or disturb it: they run on no other emulator. */
export async function ownDynalite(): Promise<Dynalite> {
  dynalite ??= startDynalite()
  return dynalite
}

export async function dynamoClient(): Promise<DynamoDBClient> {
  const given = isOnDynalite() ? undefined : inject('dynamodbEndpoint')
  const endpoint = given ?? (await ownDynalite()).endpoint
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
  client ??= new DynamoDBClient({ endpoint, credentials, region: 'us-east-1' })
  return client
}

const isOnDynalite = () => onDynalite || inject('dynamodbEndpoint') === undefined
let onDynalite = false

/** Says that the tests of this file are about dynalite's bill or faults. */
export function useDynalite(): void {
  onDynalite = true
}

/** A table for this test alone. */
export async function freshTable(kind: keyof typeof SCHEMAS): Promise<Table & { name: string }> {
  const base = await dynamoClient()
  const name = `${kind}-${process.pid}-${++tables}`
  await createTable(base, name, SCHEMAS[kind], { timeToLive: !isOnDynalite() })
  return { name, ...openTable({ client: DynamoDBDocumentClient.from(base), name }) }
}

afterAll(async () => {
  client?.destroy()
  await (await dynalite)?.close()
})
