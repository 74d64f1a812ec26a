// What the ClamAV exporter tells of clamd itself (VERSION and STATS). Not on the gateway's own /metrics: a clamd may
// serve several gateways, and is scraped once. While it does not answer, only `clamav_up` is there.
import type { Group } from './definition.ts'

export const clamd = {
  up: {
    name: 'clamav_up',
    type: 'gauge',
    help: '1 when clamd answered VERSION and STATS at this scrape',
    spike: '0: clamd is down, starting, or so busy that it does not answer; mail waits for it.',
  },
  buildInfo: {
    name: 'clamav_build_info',
    type: 'gauge',
    help: 'Always 1: the version of the engine',
    spike: 'A new label marks an upgrade of ClamAV.',
    labels: { engine: { from: 'clamd' } },
  },
  databaseVersion: {
    name: 'clamav_database_version',
    type: 'gauge',
    help: 'Version of the daily signatures; absent when clamd names none',
    spike: 'Rises with each update; a fall: an old database was put back.',
  },
  databaseTimestamp: {
    name: 'clamav_database_timestamp_seconds',
    type: 'gauge',
    help: 'When the signatures were built, seconds since 1970; absent when clamd names none',
    spike: 'Jumps ahead about once a day; when it stands still, new malware is not found.',
  },
  threads: {
    name: 'clamav_threads',
    type: 'gauge',
    help: 'Threads that scan, that wait for work, and that may be at most',
    spike: 'live at max: clamd is full, and scans queue behind each other.',
    labels: { state: ['live', 'idle', 'max'] },
  },
  queueItems: {
    name: 'clamav_queue_items',
    type: 'gauge',
    help: 'Requests that wait for a thread',
    spike: 'More mail than clamd can scan: raise MaxThreads, or give it more CPU.',
  },
  memory: {
    name: 'clamav_memory_bytes',
    type: 'gauge',
    help: 'Memory as clamd tells it; kinds that its build does not know are absent',
    spike: 'Doubles while the database is reloaded; a steady rise is a leak.',
    labels: { kind: ['heap', 'mmap', 'used', 'free', 'releasable', 'pools_used', 'pools_total'] },
  },
} as const satisfies Group
