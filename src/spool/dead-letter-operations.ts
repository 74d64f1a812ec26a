// What an operator does with dead letters.
import type { OperationParts, Operations } from './operation.ts'

export function createDeadLetterOperations(_: OperationParts): Operations {
  return {}
}
