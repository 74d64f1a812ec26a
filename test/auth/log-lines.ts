// A log whose lines a test can read.
import { pino } from 'pino'
import type { Log } from '../../src/platform/log.ts'

export type Line = Readonly<Record<string, unknown>> & Readonly<{ event: string }>

export function readableLog(): { log: Log; lines: Line[] } {
  const lines: Line[] = []
  const write = (text: string) => {
    lines.push(JSON.parse(text))
  }
  return { log: pino({ base: null, timestamp: false, messageKey: 'event' }, { write }), lines }
}
