// What a reload changed, told in the log: what holds from now on, and what only a restart will bring.
import type { ConfigChange } from '../src/platform/config-diff.ts'
import type { Log } from '../src/platform/log.ts'

/** Keys whose settings are built into what runs. */
const NEEDS_RESTART = [
  /^(hostname|data_dir|listeners|ops|delivery)\b/,
  /^scan\.(concurrency|retry_schedule)/,
  /^limits\.disk_reserve/,
  /^log\.format/,
]

/** The scanners' blocks are read once; those of policies at each reload. */
const SCANNERS = new Set(['clamav', 'rspamd'])

export function needsRestart({ key }: ConfigChange, pluginAt: (n: number) => string | undefined): boolean {
  const plugin = /^plugins\[(\d+)\]/.exec(key)
  if (plugin !== null) return SCANNERS.has(pluginAt(Number(plugin[1])) ?? '')
  return NEEDS_RESTART.some(pattern => pattern.test(key))
}

export function tellChanges(
  changes: readonly ConfigChange[],
  log: Log,
  pluginAt: (n: number) => string | undefined,
): void {
  if (changes.length === 0) log.info({ changes: 0 }, 'reloaded')
  for (const change of changes) {
    const { key, from, to } = change
    if (needsRestart(change, pluginAt)) log.warn({ key, from, to }, 'needs-restart')
    else log.info({ key, from, to }, 'reloaded')
  }
}
