// What the process and its machine have left.
import type { Row } from './dashboard.ts'
import { under, underSeconds } from './limits.ts'
import { timeseries } from './panel.ts'
import { maxOf, perSecond, recorded, sumOf } from './query.ts'

export const resources = (): Row => ({
  title: 'Resources',
  panels: [diskFree(), memory(), cpu(), eventLoopLag(), fileDescriptors(), certificates()],
})

export const diskFree = (width = 8) =>
  timeseries({
    title: 'Disk free',
    description:
      'Free share of the fullest file system that holds a data directory. Below the limit new mail is answered 451 before the disk is full.',
    unit: 'percentunit',
    width,
    max: 1,
    steps: under({ warning: 'disk_free_warning', critical: 'disk_free_critical' }),
    alerts: ['DiskSpaceLow'],
    queries: [{ expr: recorded('elemta:disk_free:ratio'), legend: 'free' }],
  })

export const memory = (width = 8) =>
  timeseries({
    title: 'Memory',
    description: 'Resident memory and JavaScript heap in use. A sawtooth is good; a stair is a leak.',
    unit: 'bytes',
    width,
    queries: [
      {
        expr: sumOf('process_resident_memory_bytes', { by: 'instance', where: 'job="elemta"' }),
        legend: 'resident {{instance}}',
      },
      {
        expr: sumOf('nodejs_heap_size_used_bytes', { by: 'instance', where: 'job="elemta"' }),
        legend: 'heap {{instance}}',
      },
    ],
  })

const cpu = () =>
  timeseries({
    title: 'CPU',
    description: 'Cores in use by the gateway. The SMTP side is one thread: near 1 the event loop is the limit.',
    unit: 'short',
    width: 8,
    queries: [
      {
        expr: perSecond('process_cpu_seconds_total', { by: 'instance', where: 'job="elemta"' }),
        legend: '{{instance}}',
      },
    ],
  })

export const eventLoopLag = (width = 8) =>
  timeseries({
    title: 'Event-loop lag',
    description: 'How late timers run: p99 and mean. Milliseconds are good; a second means that every session stalls.',
    unit: 's',
    width,
    queries: [
      {
        expr: maxOf('nodejs_eventloop_lag_p99_seconds', { by: 'instance', where: 'job="elemta"' }),
        legend: 'p99 {{instance}}',
      },
      {
        expr: maxOf('nodejs_eventloop_lag_mean_seconds', { by: 'instance', where: 'job="elemta"' }),
        legend: 'mean {{instance}}',
      },
    ],
  })

const fileDescriptors = () =>
  timeseries({
    title: 'Open files',
    description: 'File descriptors in use and their limit. Sessions, next hops and contents each take one.',
    unit: 'short',
    width: 8,
    queries: [
      { expr: maxOf('process_open_fds', { by: 'instance', where: 'job="elemta"' }), legend: 'open {{instance}}' },
      { expr: maxOf('process_max_fds', { by: 'instance', where: 'job="elemta"' }), legend: 'limit {{instance}}' },
    ],
  })

const certificates = () =>
  timeseries({
    title: 'Certificates: time left',
    description: 'Until a certificate of the listeners ends. No data: TLS is not configured.',
    unit: 's',
    width: 8,
    steps: underSeconds({ warning: 'certificate_warning', critical: 'certificate_critical' }),
    alerts: ['CertificateExpiring'],
    queries: [{ expr: recorded('elemta:certificate_left:seconds'), legend: '{{certificate}}' }],
  })
