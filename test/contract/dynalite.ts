// DynamoDB in this process for the contract suites: dynalite, which knows no transactions, behind a small front that does
// them: alone, one write after the other with its condition, and everything back as it was when one of them fails. The
// suites also run on an emulator with transactions of its own (`npm run test:aws`). The front counts what a deployment pays.
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

// It has no types.
const dynalite = createRequire(import.meta.url)('dynalite') as (options: Record<string, number>) => Server

type Json = Record<string, unknown>
type Answer = Readonly<{ status: number; body: Json }>
type Written = Readonly<{ TableName: string; Key?: Json; Item?: Json; ConditionExpression?: string }>

/** Requests by name, and capacity units as AWS counts them: a transaction's writes twice, those of indexes once. */
export type Bill = {
  requests: Record<string, number>
  writeUnits: number
  readUnits: number
  /** Units of indexes are counted too, which takes time. */
  exact: boolean
}

/**
 * What goes wrong with requests of a kind: the answer is lost although it was done, another transaction was at the same
 * item, or there was too much at once. `times` is counted down.
 */
export type Fault = { operation: string; what: 'lost' | 'conflict' | 'throttled'; times: number }

export type Dynalite = Readonly<{ endpoint: string; bill: Bill; faults: Fault[]; close(): Promise<void> }>

const AUTHORIZATION =
  'AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=h, Signature=s'
const READS = new Set(['GetItem', 'BatchGetItem', 'Query'])
const WRITES = new Set(['PutItem', 'UpdateItem', 'DeleteItem'])
const MOST_WRITES = 100

export async function startDynalite(): Promise<Dynalite> {
  const behind = dynalite({ createTableMs: 0, deleteTableMs: 0 })
  await new Promise<void>(resolve => behind.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(behind.address() as AddressInfo).port}`
  const bill: Bill = { requests: {}, writeUnits: 0, readUnits: 0, exact: false }
  const { shared, alone } = turns()
  const seen = new Map<string, Answer>()

  const indexes = new Map<string, Index[]>()

  /** What a write costs in the indexes of its table: dynalite does not say. */
  async function askAndCountIndexes(operation: string, input: Json, factor = 1): Promise<Answer> {
    if (!bill.exact) return ask(operation, input, factor)
    const { TableName, Key, Item } = input as Written
    const read = { TableName, Key: Key ?? { pk: Item?.pk, sk: Item?.sk }, ConsistentRead: true }
    const { readUnits } = bill
    const before = (await ask('GetItem', read)).body.Item as Json | undefined
    const answered = await ask(operation, input, factor)
    const after = (await ask('GetItem', read)).body.Item as Json | undefined
    bill.readUnits = readUnits
    for (const index of indexes.get(TableName) ?? []) {
      const [was, is] = [before, after].map(item => entryOf(item, index))
      // An entry whose keys change goes, and another one comes.
      if (was?.keys !== is?.keys) bill.writeUnits += (was?.units ?? 0) + (is?.units ?? 0)
      else if (was?.all !== is?.all) bill.writeUnits += Math.max(was?.units ?? 0, is?.units ?? 0)
    }
    return answered
  }

  async function ask(operation: string, input: Json, factor = 1): Promise<Answer> {
    const counts = !/Table/.test(operation)
    if (operation === 'CreateTable') indexes.set(String(input.TableName), input.GlobalSecondaryIndexes as Index[])
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-amz-json-1.0',
        'x-amz-target': `DynamoDB_20120810.${operation}`,
        authorization: AUTHORIZATION,
        'x-amz-date': '20260101T000000Z',
      },
      body: JSON.stringify(counts ? { ...input, ReturnConsumedCapacity: 'TOTAL' } : input),
    })
    const { ConsumedCapacity, ...body } = (await response.json()) as Json & { ConsumedCapacity?: Consumed | Consumed[] }
    for (const consumed of [ConsumedCapacity ?? []].flat()) {
      if (READS.has(operation)) bill.readUnits += consumed.CapacityUnits
      else bill.writeUnits += factor * consumed.CapacityUnits
    }
    return { status: response.status, body }
  }

  async function transact(input: Json): Promise<Answer> {
    const writes = input.TransactItems as Record<string, Written>[]
    const keyOf = (written: Written) => ({
      pk: (written.Key ?? written.Item)?.pk,
      sk: (written.Key ?? written.Item)?.sk,
    })
    const keys = writes.map(write => JSON.stringify(keyOf(Object.values(write)[0]!)))
    if (writes.length > MOST_WRITES || new Set(keys).size < keys.length) {
      return {
        status: 400,
        body: { __type: 'com.amazon.coral.validate#ValidationException', message: 'not a transaction' },
      }
    }
    const before = { ...bill }
    const undo: (() => Promise<unknown>)[] = []
    const reasons: { Code: string }[] = []
    for (const write of writes) {
      const [[kind, written]] = Object.entries(write) as [[string, Written]]
      const { TableName } = written
      const Key = keyOf(written)
      const was = (await ask('GetItem', { TableName, Key, ConsistentRead: true })).body.Item
      const restore = () => (was ? ask('PutItem', { TableName, Item: was }) : ask('DeleteItem', { TableName, Key }))
      const { status, body } = await askAndCountIndexes(OPERATION[kind]!, { ...written }, 2)
      const { writeUnits } = bill
      if (kind === 'ConditionCheck' && was === undefined) await restore()
      else undo.unshift(restore)
      bill.writeUnits = writeUnits
      const condition = status === 400 && String(body.__type).endsWith('ConditionalCheckFailedException')
      if (status !== 200 && !condition) {
        for (const step of undo) await step()
        return { status, body }
      }
      reasons.push({ Code: condition ? 'ConditionalCheckFailed' : 'None' })
    }
    bill.readUnits = before.readUnits
    if (reasons.every(({ Code }) => Code === 'None')) return { status: 200, body: {} }
    const { writeUnits } = bill
    for (const step of undo) await step()
    Object.assign(bill, { readUnits: before.readUnits, writeUnits })
    const message = `Transaction cancelled [${reasons.map(({ Code }) => Code).join(', ')}]`
    const __type = 'com.amazonaws.dynamodb.v20120810#TransactionCanceledException'
    return { status: 400, body: { __type, message, CancellationReasons: reasons } }
  }

  async function answer(operation: string, request: IncomingMessage): Promise<Answer> {
    const input = JSON.parse(await text(request)) as Json
    bill.requests[operation] = (bill.requests[operation] ?? 0) + 1
    if (WRITES.has(operation)) return shared(() => askAndCountIndexes(operation, input))
    if (operation !== 'TransactWriteItems') return shared(() => ask(operation, input))
    const token = String(input.ClientRequestToken)
    return alone(async () => {
      const answered = seen.get(token) ?? (await transact(input))
      if (answered.status === 200) seen.set(token, answered)
      return answered
    })
  }

  const faults: Fault[] = []
  const front = createServer(async (request, response) => {
    const operation = String(request.headers['x-amz-target']).split('.')[1]!
    const fault = faults.find(one => one.operation === operation && one.times > 0)
    if (fault !== undefined) fault.times--
    const { status, body } =
      fault === undefined || fault.what === 'lost' ? await answer(operation, request) : REFUSALS[fault.what]
    if (fault?.what === 'lost') {
      response.destroy()
      return
    }
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(body))
  })
  await new Promise<void>(resolve => front.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(front.address() as AddressInfo).port}`,
    bill,
    faults,
    async close() {
      front.closeAllConnections()
      await new Promise(resolve => front.close(resolve))
      await new Promise(resolve => behind.close(resolve))
    },
  }
}

type Consumed = Readonly<{ CapacityUnits: number }>
type Index = Readonly<{ KeySchema: { AttributeName: string }[]; Projection: { NonKeyAttributes?: string[] } }>

/** What an index holds of an item, and the units to write that. */
function entryOf(item: Json | undefined, { KeySchema, Projection }: Index) {
  const keys = KeySchema.map(({ AttributeName }) => item?.[AttributeName])
  if (item === undefined || keys.includes(undefined)) return undefined
  const rest = [item.pk, item.sk, ...(Projection.NonKeyAttributes ?? []).map(name => item[name])]
  const all = JSON.stringify([keys, rest])
  return { keys: JSON.stringify(keys), all, units: Math.ceil(all.length / 1024) }
}

const REFUSALS = {
  throttled: {
    status: 400,
    body: { __type: 'com.amazonaws.dynamodb.v20120810#ThrottlingException', message: 'Rate exceeded' },
  },
  conflict: {
    status: 400,
    body: {
      __type: 'com.amazonaws.dynamodb.v20120810#TransactionCanceledException',
      message: 'Transaction cancelled [TransactionConflict]',
      CancellationReasons: [{ Code: 'TransactionConflict' }],
    },
  },
} as const satisfies Record<string, Answer>

/** A check is an update that changes nothing. */
const OPERATION: Readonly<Record<string, string>> = {
  Put: 'PutItem',
  Update: 'UpdateItem',
  Delete: 'DeleteItem',
  ConditionCheck: 'UpdateItem',
}

/** Many share, or one is alone. */
function turns() {
  let last: Promise<unknown> = Promise.resolve()
  const inFlight = new Set<Promise<unknown>>()
  return {
    async shared<T>(step: () => Promise<T>): Promise<T> {
      for (let seen: unknown; seen !== last; ) {
        seen = last
        await seen
      }
      const running = step()
      inFlight.add(running)
      try {
        return await running
      } finally {
        inFlight.delete(running)
      }
    },
    alone<T>(step: () => Promise<T>): Promise<T> {
      const before = last
      const mine = (async () => {
        await before
        await Promise.allSettled(inFlight)
        return step()
      })()
      last = mine.catch(() => {})
      return mine
    },
  }
}
