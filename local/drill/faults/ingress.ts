import type { Fault } from '../fault.ts'
export const INGRESS_FAULTS: readonly Fault[] = []
