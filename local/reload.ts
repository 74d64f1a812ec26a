// What a reload can change of a running gateway, and what only a restart will bring. Pure, but for the telling.
import type { Config, Plugin } from '../src/platform/config.ts'
import type { ConfigChange } from '../src/platform/config-diff.ts'
import type { Log } from '../src/platform/log.ts'

/** `wanted`, with all that is built into what runs as it was when the program started. */
export function takenAtOnce(started: Config, wanted: Config): Config {
  const { hostname, data_dir, listeners, ops, delivery, canary } = started
  const { concurrency, retry_schedule } = started.scan
  return {
    ...wanted,
    ...{ hostname, data_dir, listeners, ops, delivery, canary },
    scan: { ...wanted.scan, concurrency, retry_schedule },
    limits: {
      ...wanted.limits,
      disk_reserve: started.limits.disk_reserve,
      message_size: messageSize(started, wanted),
    },
    log: { ...wanted.log, format: started.log.format },
    plugins: pluginsTaken(started.plugins, wanted.plugins),
  }
}

/** Scanners of our own were started with limits that fit: a larger message could not be scanned. */
function messageSize(started: Config, wanted: Config): number {
  const own = started.plugins.some(plugin => isScanner(plugin) && plugin.enabled && plugin.config.managed !== false)
  const { message_size } = wanted.limits
  return own ? Math.min(message_size, started.limits.message_size) : message_size
}

/** Policies as wanted, scanners as they run. */
function pluginsTaken(started: readonly Plugin[], wanted: readonly Plugin[]): Plugin[] {
  const running: readonly Plugin[] = started.filter(isScanner)
  const kept = wanted.flatMap(plugin =>
    isScanner(plugin) ? running.filter(({ name }) => name === plugin.name) : [plugin],
  )
  return [...kept, ...running.filter(({ name }) => !wanted.some(plugin => plugin.name === name))]
}

function isScanner(plugin: Plugin): plugin is Extract<Plugin, { name: 'clamav' | 'rspamd' }> {
  return plugin.name === 'clamav' || plugin.name === 'rspamd'
}

/** One line per key: what holds from now on, and what waits for a restart. */
export function tellChanges(taken: readonly ConfigChange[], waiting: readonly ConfigChange[], log: Log): void {
  if (taken.length === 0) log.info({ changes: 0 }, 'reloaded')
  for (const { key, from, to } of taken) log.info({ key, from, to }, 'reloaded')
  for (const { key, from, to } of waiting) log.warn({ key, from, to }, 'needs-restart')
}
