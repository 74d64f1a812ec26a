// JSON lines on stdout, pretty on a terminal, or lines as Postfix writes them. Never a body, a subject or a password.
// Lines about a message carry its queue id; `event` is one word of the vocabulary (accepted, delivered …): docs/logs.md.
import { createRequire } from 'node:module'
import { hostname as systemName } from 'node:os'
import { type DestinationStream, type Logger, pino } from 'pino'
import { postfixLines } from './log-postfix.ts'

export type Log = Logger
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'
export type LogFormat = 'json' | 'postfix'

export type LogOptions = Readonly<{
  level?: LogLevel
  /** Pretty instead of JSON. */
  terminal?: boolean
  format?: LogFormat
  /** Our name in lines of format `postfix`. */
  hostname?: string
  /** To standard error, for commands whose output is on stdout. */
  stderr?: boolean
}>

export function createLog(options: LogOptions = {}): Log {
  const { level = 'info', terminal = false, format = 'json', hostname = systemName(), stderr = false } = options
  const fd = stderr ? 2 : 1
  const settings = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, messageKey: 'event' }
  if (format === 'postfix') return pino(settings, postfixStream(hostname, fd))
  if (!terminal) return stderr ? pino(settings, pino.destination({ fd, sync: true })) : pino(settings)
  return pino(
    settings,
    prettyPrinter()({
      destination: fd,
      colorize: true,
      messageKey: 'event',
      translateTime: 'HH:MM:ss.l',
      singleLine: true,
    }),
  )
}

/** Loaded where there is a terminal: it is larger than all the rest of logging. */
function prettyPrinter(): typeof import('pino-pretty') {
  return createRequire(import.meta.url)('pino-pretty')
}

/** Takes JSON lines and writes them in the other form. */
function postfixStream(hostname: string, fd: number): DestinationStream {
  const output = pino.destination({ fd, sync: true })
  const where = { hostname, pid: process.pid }
  return {
    write(line: string) {
      output.write(postfixLines(JSON.parse(line), where))
    },
  }
}

export const silentLog: Log = pino({ level: 'silent' })
