// How commands read what people write: addresses, durations, options that may be repeated.
import { parseDuration } from '../../src/platform/config-units.ts'
import { EXIT, ExitError } from '../../src/platform/exit.ts'

/** With or without angle brackets. */
export function bareAddress(text: string): string {
  return text.replace(/^<(.*)>$/s, '$1')
}

/** Milliseconds. Throws ExitError that says how to write one. */
export function durationOf(text: string): number {
  try {
    return parseDuration(text)
  } catch (error) {
    throw new ExitError(EXIT.usage, (error as Error).message)
  }
}

/** For options that may be repeated. */
export function collect(value: string, before: string[] = []): string[] {
  return [...before, value]
}
