import type { Fault } from '../fault.ts'
export const DELIVERY_FAULTS: readonly Fault[] = []
