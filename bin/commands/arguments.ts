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

/** `clamd:3310`, `127.0.0.1:0`, `[::1]:9906`. Throws ExitError that says how to write one. */
export function hostAndPort(text: string): Readonly<{ host: string; port: number }> {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? []
  const host = bracketed ?? plain
  if (host === undefined || Number(port) > 65_535) throw new ExitError(EXIT.usage, `${text}: expected host:port`)
  return { host, port: Number(port) }
}

/** For options that may be repeated. */
export function collect(value: string, before: string[] = []): string[] {
  return [...before, value]
}
