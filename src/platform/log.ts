// JSON lines on stdout, pretty on a terminal. Never a body, a subject or a password.
// Lines about a message begin with its queue id; `event` is one word of the vocabulary (accepted, delivered …).
import { type Logger, pino } from 'pino'
import pretty from 'pino-pretty'

export type Log = Logger
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

export function createLog({ level = 'info', terminal = false }: { level?: LogLevel; terminal?: boolean } = {}): Log {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, messageKey: 'event' }
  if (!terminal) return pino(options)
  return pino(options, pretty({ colorize: true, messageKey: 'event', translateTime: 'HH:MM:ss.l', singleLine: true }))
}

export const silentLog: Log = pino({ level: 'silent' })
