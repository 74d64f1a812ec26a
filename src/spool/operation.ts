// One thing that an operator can do: input that is checked by a schema, and what is done with it.
// An operation that changes something logs `audit` and leaves an `operator` event in the record of every message.
// What is wrong with a request is an OperationError; anything else that is thrown is a fault of ours.
import type { z } from 'zod'
import type { Log } from '../platform/log.ts'
import type { Metrics } from '../platform/metrics.ts'
import type { Backends } from '../storage/backends.ts'

/** What operations work with. */
export type OperationParts = Readonly<{
  backends: Backends
  now: () => number
  log: Log
  metrics: Metrics
  /** Runs `act` while no sweep and no other act is at work on deferrals. */
  alone<T>(act: () => Promise<T>): Promise<T>
  /** Tries destinations again that delivery keeps away from. */
  resume?(): void
}>

/** `who` is the person's name, as told by whoever calls. */
export type Operation = Readonly<{ input: z.ZodType; run(input: unknown, who: string): Promise<unknown> }>

/** By name: `queue/hold`. The name is the path on the operator's port, after `/v1/`. */
export type Operations = Readonly<Record<string, Operation>>

/** `run` gets what the schema has made of the input. */
export function operation<S extends z.ZodType>(
  input: S,
  run: (input: z.output<S>, who: string) => Promise<unknown>,
): Operation {
  return { input, run: (value, who) => run(value as z.output<S>, who) }
}

/** Refuses a request; the message is for the person who made it. */
export class OperationError extends Error {
  override readonly name = 'OperationError'
  readonly status: 400 | 404 | 409
  constructor(status: 400 | 404 | 409, message: string) {
    super(message)
    this.status = status
  }
}

/** A line of the log for every act that changed something. */
export function audit(
  { log }: Pick<OperationParts, 'log'>,
  act: Readonly<{ action: string; who: string; queueId: string; recipients: readonly string[]; filter?: unknown }>,
): void {
  log.info(act, 'audit')
}
