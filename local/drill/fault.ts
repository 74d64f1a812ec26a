// What a drill is made of: a fault that is done to a private stack, the alerts that must come of it, and how it is
// undone. A fault only acts: waiting, comparing and counting seconds are prove.ts's business.
import type { Severity } from '../../monitoring/rules/rule.ts'
import type { Stack } from './stack.ts'

export type StackName = 'scanners' | 'delivery' | 'ingress' | 'instance' | 'updates' | 'anomaly'

/** One alert that a fault must bring about. */
export type Proof = Readonly<{
  alert: string
  severity: Severity
  /** Labels that tell it from others of its name and severity. */
  labels?: Readonly<Record<string, string>>
  /** Its second stage keeps it quiet while the fault lasts: it is told of once that one is over. */
  afterHealing?: true
}>

export type Fault = Readonly<{
  /** A sentence without a full stop: what is done. */
  what: string
  stack: StackName
  proves: readonly Proof[]
  /** Its alert fires all the time, and is no longer heard of while the fault lasts. */
  silences?: true
  /** Before anything is looked at. */
  prepare?(stack: Stack): Promise<void>
  /** Begins the fault, and what goes on until it is healed (`stack.repeat`). */
  inject(stack: Stack): Promise<void>
  /** Makes everything as it was. `stack.repeat` has been ended already. */
  heal(stack: Stack): Promise<void>
}>
