// Counts what requests to AWS are billed by, as a hook in the clients of its SDK: each answered attempt of S3 and SQS, and
// the capacity units that DynamoDB says it used. Knows clients by their shape, so that no SDK is imported here. A hook
// never makes a request fail; errors of AWS itself (5xx, throttling) are not billed and not counted.
import { PRICES, type PriceName, priceOf } from './prices.ts'

/** What is counted, by the price that it is billed at. */
export type BilledUnit = 's3Put' | 's3Get' | 'sqsRequest' | 'dynamodbWrite' | 'dynamodbRead'
export type Count = (unit: BilledUnit, by: number) => void

type Answered = Readonly<{ request?: unknown }>
type Args = { input: object } & Answered
type Next = (args: Args) => Promise<{ output: unknown }>
type Context = Readonly<{ clientName?: string; commandName?: string }>
type Client = Readonly<{
  middlewareStack: {
    // biome-ignore lint/suspicious/noExplicitAny: each client has types of its own, which only agree in shape
    add(middleware: any, options: any): void
  }
}>

const COMPONENTS = {
  s3Put: 's3',
  s3Get: 's3',
  sqsRequest: 'sqs',
  dynamodbWrite: 'dynamodb',
  dynamodbRead: 'dynamodb',
} as const
export type CostComponent = (typeof COMPONENTS)[BilledUnit]

/** Makes counts into `elemta_cost_usd_total`, at list prices. */
export function costIn(costUsd: Readonly<{ inc(component: CostComponent, by: number): void }>): Count {
  return (unit, by) => costUsd.inc(COMPONENTS[unit], priceOf(PRICES[unit satisfies PriceName], by))
}

/** From now on every request of the client (S3, SQS, DynamoDB) is counted. */
export function countRequests(client: Client, count: Count): void {
  // Around each attempt, with its parsed answer.
  client.middlewareStack.add(
    (next: Next, { commandName = '', clientName = '' }: Context) =>
      async (args: Args) => {
        const command = commandName.replace(/Command$/, '')
        try {
          const result = await next(args)
          countAnswer(count, clientName, command, args, result.output)
          return result
        } catch (error) {
          countRefusal(count, clientName, command, error)
          throw error
        }
      },
    { step: 'deserialize', priority: 'high', name: 'countRequests' },
  )
  client.middlewareStack.add(
    (next: Next, { clientName = '' }: Context) =>
      (args: Args) =>
        next(clientName.startsWith('DynamoDB') ? { ...args, input: askForCapacity(args.input) } : args),
    { step: 'initialize', name: 'askForConsumedCapacity' },
  )
}

/** Of an attempt that went well; `output` as the SDK tells it. */
export function countAnswer(
  count: Count,
  client: string,
  command: string,
  { request }: Answered,
  output: unknown,
): void {
  if (client.startsWith('S3')) countS3(count, command)
  else if (client.startsWith('SQS')) count('sqsRequest', chunksOf(request))
  else if (client.startsWith('DynamoDB')) countCapacity(count, command, output)
}

function countS3(count: Count, command: string): void {
  if (/^(Put|Copy|CreateMultipart|UploadPart|CompleteMultipart|List)/.test(command)) count('s3Put', 1)
  else if (!/^(Delete|Abort)/.test(command)) count('s3Get', 1) // those are free
}

/** Each 64 KB of a request are one. */
function chunksOf(request: unknown): number {
  const { headers = {} } = (request ?? {}) as { headers?: Record<string, string> }
  return Math.max(1, Math.ceil(Number(headers['content-length'] ?? 0) / 65_536) || 1)
}

const WRITES = /^(Put|Update|Delete|BatchWrite|TransactWrite)/

function askForCapacity(input: object): object {
  const isItemRequest = 'TableName' in input || 'RequestItems' in input || 'TransactItems' in input
  return isItemRequest && !('AttributeDefinitions' in input) ? { ReturnConsumedCapacity: 'TOTAL', ...input } : input
}

function countCapacity(count: Count, command: string, output: unknown): void {
  const { ConsumedCapacity = [] } = (output ?? {}) as { ConsumedCapacity?: unknown }
  const units = [ConsumedCapacity]
    .flat()
    .reduce((sum: number, one) => sum + Number((one as { CapacityUnits?: number })?.CapacityUnits ?? 0), 0)
  if (units > 0) count(WRITES.test(command) ? 'dynamodbWrite' : 'dynamodbRead', units)
}

/** A condition that did not hold is paid for like a write; a request that S3 or SQS refuses like any other. */
export function countRefusal(count: Count, client: string, command: string, error: unknown): void {
  const { name, $metadata, CancellationReasons } = (error ?? {}) as {
    name?: string
    $metadata?: { httpStatusCode?: number }
    CancellationReasons?: unknown[]
  }
  const status = $metadata?.httpStatusCode ?? 0
  if (client.startsWith('DynamoDB')) {
    if (name === 'ConditionalCheckFailedException') count('dynamodbWrite', 1)
    if (name === 'TransactionCanceledException') count('dynamodbWrite', 2 * (CancellationReasons?.length ?? 1))
    return
  }
  if (status < 400 || status >= 500 || status === 429) return
  if (client.startsWith('S3')) countS3(count, command)
  else if (client.startsWith('SQS')) count('sqsRequest', 1)
}
