// All faults, in the order in which those of one stack are done.
import type { Fault } from './fault.ts'
import { DELIVERY_FAULTS } from './faults/delivery.ts'
import { DISK_FAULTS } from './faults/disk.ts'
import { INGRESS_FAULTS } from './faults/ingress.ts'
import { INSTANCE_FAULTS } from './faults/instance.ts'
import { SCANNER_FAULTS } from './faults/scanners.ts'

export const FAULTS: readonly Fault[] = [
  ...SCANNER_FAULTS,
  ...INGRESS_FAULTS,
  ...DELIVERY_FAULTS,
  ...DISK_FAULTS,
  ...INSTANCE_FAULTS,
]
