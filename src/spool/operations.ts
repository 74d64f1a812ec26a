// What an operator can do, as one table. The operator's port and the command line run the same one: over HTTP beside a
// gateway that runs, on the data directory itself when none does.
import * as z from 'zod'
import { createDeadLetterOperations } from './dead-letter-operations.ts'
import { OperationError, type OperationParts, type Operations, operation } from './operation.ts'
import { createQueueOperations } from './queue-operations.ts'

/** 200 with the result, or another HTTP status with `{ error }`. */
export type Answer = Readonly<{ status: number; body: unknown }>

/** All tables in one; `others` are those of other parts of the spool. */
export function createOperations(parts: OperationParts, ...others: readonly Operations[]): Operations {
  /** Whether anybody is there, and lets one in. */
  const ping = operation(z.strictObject({}), async () => ({}))
  return Object.assign({ ping }, createQueueOperations(parts), createDeadLetterOperations(parts), ...others)
}

/** Checks the input and runs the operation. Rejects only with faults of ours. */
export async function runOperation(operations: Operations, name: string, input: unknown, who: string): Promise<Answer> {
  if (!Object.hasOwn(operations, name)) return refusal(404, `there is no operation ${name}`)
  const { input: schema, run } = operations[name]!
  const checked = schema.safeParse(input)
  if (!checked.success) {
    const problems = checked.error.issues.map(({ path, message }) => `${path.join('.') || 'input'}: ${message}`)
    return refusal(400, problems.join('; '))
  }
  try {
    return { status: 200, body: (await run(checked.data, who)) ?? {} }
  } catch (error) {
    if (error instanceof OperationError) return refusal(error.status, error.message)
    throw error
  }
}

function refusal(status: number, error: string): Answer {
  return { status, body: { error } }
}
