// Actions of DynamoDB and SQS the short way: a hook in a client of the SDK that takes a request when it is written and, by
// signed-requests.ts, brings its answer; when that does not go well the SDK goes on as ever. Commands stay as they are.
// Octets come back as base64, unless `read` makes octets of them.
import { type Count, countAnswer, countRefusal } from './billed-requests.ts'
import {
  type ClientConfig,
  createSignedRequests,
  type Place,
  type SignedAnswer,
  type SignedRequest,
} from './signed-requests.ts'

type Json = Record<string, unknown>
type Written = Place & Readonly<{ path: string; headers: Readonly<Record<string, string>>; body: string | Uint8Array }>
type Args = { input: object; request: unknown }
type Next = (args: Args) => Promise<{ output: unknown; response?: unknown }>
type Client = Readonly<{
  config: ClientConfig
  middlewareStack: {
    // biome-ignore lint/suspicious/noExplicitAny: each client has types of its own, which only agree in shape
    add(middleware: any, options: any): void
  }
}>

export type SignedActionsOptions = Readonly<{
  count?: Count | undefined
  /** Makes of an answer what the commands of this client give, where that is more than its JSON. */
  read?: (answer: Json) => Json
}>

const CLIENTS = { dynamodb: 'DynamoDBClient', sqs: 'SQSClient' } as const

/** From now on every action of the client is first tried the short way. */
export function signActions(client: Client, service: keyof typeof CLIENTS, options: SignedActionsOptions = {}): void {
  const { count = () => {}, read = answer => answer } = options

  function answered({ headers, body }: SignedRequest, answer: SignedAnswer): void {
    const action = headers?.['x-amz-target']?.split('.')[1] ?? ''
    const request = { headers: { 'content-length': String(body?.length) } }
    const told = parsed(answer)
    if (answer.status < 300) countAnswer(count, CLIENTS[service], action, { request }, told)
    else countRefusal(count, CLIENTS[service], action, refusalIn(told, answer.status))
  }

  const ask = createSignedRequests(client.config, { service, answered })

  async function outputOf({ headers, body, path, ...place }: Written): Promise<Json | undefined> {
    const named = { 'content-type': headers['content-type']!, 'x-amz-target': headers['x-amz-target']! }
    const answer = await ask({ method: 'POST', place, path, headers: named, body: octetsOf(body) })
    return answer && { $metadata: { httpStatusCode: answer.status }, ...read(parsed(answer)) }
  }

  client.middlewareStack.add(
    (next: Next) => async (args: Args) => {
      const output = await outputOf(args.request as Written)
      return output === undefined ? next(args) : { output, response: {} }
    },
    // Behind what writes the request, before all that the SDK does with it.
    { step: 'serialize', priority: 'low', name: 'signActions' },
  )
}

/** No copy of what is octets already. */
function octetsOf(body: string | Uint8Array): Buffer {
  return typeof body === 'string' ? Buffer.from(body) : Buffer.from(body.buffer, body.byteOffset, body.byteLength)
}

function parsed({ body }: SignedAnswer): Json {
  return body.length === 0 ? {} : JSON.parse(body.toString())
}

/** An error as the SDK would make it, as far as it is billed by. */
function refusalIn({ __type, CancellationReasons }: Json, httpStatusCode: number) {
  const name = String(__type ?? '').replace(/^.*#/, '')
  return { name, CancellationReasons, $metadata: { httpStatusCode } }
}
