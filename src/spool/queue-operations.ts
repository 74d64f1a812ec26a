// What an operator does with queued mail.
import type { OperationParts, Operations } from './operation.ts'

export function createQueueOperations(_: OperationParts): Operations {
  return {}
}
