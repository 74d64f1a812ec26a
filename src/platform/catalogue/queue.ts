// The queue: what waits, for how long, and whether anything was lost.
import { type Group, LONG_SECONDS } from './definition.ts'

const QUEUE_TYPES = ['incoming', 'active', 'deferred', 'held', 'failed'] as const
const STAGES = ['scan', 'delivery'] as const

export const queue = {
  queueSize: {
    name: 'elemta_queue_size',
    type: 'gauge',
    help: 'Jobs by where they stand; failed: dead letters',
    spike:
      'incoming: scanners or delivery are slower than mail comes; deferred: a next hop takes nothing; failed: a fault of ours.',
    labels: { queue_type: QUEUE_TYPES },
  },
  queueOldestAge: {
    name: 'elemta_queue_oldest_age_seconds',
    type: 'gauge',
    help: 'Age of the oldest message waiting',
    spike: 'Somebody’s mail is late. incoming: we are behind; deferred: its next hop is.',
    labels: { queue_type: QUEUE_TYPES },
  },
  queueProcessingTime: {
    name: 'elemta_queue_processing_time_seconds',
    type: 'histogram',
    buckets: LONG_SECONDS,
    exemplars: true,
    help: 'From acceptance to the last recipient’s end state',
    spike: 'Mail takes longer to its end: slow scanners, retries, or next hops that are down.',
  },
  backPressure: {
    name: 'elemta_back_pressure',
    type: 'gauge',
    help: '1 while mail is refused with 451 for it',
    spike: '1: no mail is taken, because too much waits (queue) or the disk is full (disk).',
    labels: { reason: ['queue', 'disk'] },
  },
  jobCrashes: {
    name: 'elemta_job_crashes_total',
    type: 'counter',
    help: 'Jobs whose worker failed or died',
    spike: 'A fault of ours or of the disk: the job is tried again, and becomes a dead letter when it fails too often.',
    labels: { stage: STAGES },
  },
  deadLetters: {
    name: 'elemta_dead_letters_total',
    type: 'counter',
    help: 'Jobs given up after too many crashes',
    spike: 'Mail that goes nowhere until somebody looks: elemta dlq list.',
    labels: { stage: STAGES },
  },
  ledgerImbalance: {
    name: 'elemta_ledger_imbalance',
    type: 'gauge',
    help: 'Accepted recipients that are in no queue and have no end state; must be 0',
    spike: 'Anything but 0 for longer than a minute is mail that was accepted and is nowhere.',
  },
  diskFree: {
    name: 'elemta_disk_free_bytes',
    type: 'gauge',
    help: 'Room left to us on the file system of data_dir',
    spike: 'A fall: mail piles up, or something else fills the disk; at limits.disk_reserve no mail is taken.',
  },
  diskSize: {
    name: 'elemta_disk_size_bytes',
    type: 'gauge',
    help: 'Size of the file system of data_dir',
    spike: 'Changes when the disk is replaced or grown, and at no other time.',
  },
} as const satisfies Group
