// The gateway's log as a function writes it: JSON lines on stdout, each at once, since what is not written when an
// invocation ends is written at the next one or never.
import { pino } from 'pino'
import type { Config } from '../src/platform/config.ts'
import type { Log } from '../src/platform/log.ts'

export function createFunctionLog({ level }: Pick<Config['log'], 'level'>): Log {
  const settings = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, messageKey: 'event' }
  return pino(settings, pino.destination({ fd: 1, sync: true }))
}
