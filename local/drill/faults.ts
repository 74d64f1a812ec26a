// All faults, in the order in which those of one stack are done.
import type { Fault } from './fault.ts'
import { ANOMALY_FAULTS } from './faults/anomaly.ts'
import { DELIVERY_FAULTS } from './faults/delivery.ts'
import { DISK_FAULTS } from './faults/disk.ts'
import { INGRESS_FAULTS } from './faults/ingress.ts'
import { INSTANCE_FAULTS } from './faults/instance.ts'
import { SCANNER_FAULTS } from './faults/scanners.ts'
import { UPDATE_FAULTS } from './faults/updates.ts'
import { WATCHER_FAULTS } from './faults/watchers.ts'

export const FAULTS: readonly Fault[] = [
  ...SCANNER_FAULTS,
  ...INGRESS_FAULTS,
  ...DELIVERY_FAULTS,
  ...DISK_FAULTS,
  ...INSTANCE_FAULTS,
  ...WATCHER_FAULTS,
  ...ANOMALY_FAULTS,
  ...UPDATE_FAULTS,
]
