// How a command ends: the codes of sysexits(3), which mail programs and service managers know, and one error that
// carries its code. Anything else that is thrown is a fault of ours.
import { ConfigError } from './config-errors.ts'

export const EXIT = {
  usage: 64,
  noInput: 66,
  unavailable: 69,
  software: 70,
  temporary: 75,
  noPermission: 77,
  config: 78,
} as const

/** An end that was foreseen: the message is for a person and says what to do. */
export class ExitError extends Error {
  override readonly name = 'ExitError'
  readonly exitCode: number
  constructor(exitCode: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.exitCode = exitCode
  }
}

/** What stands in the way outside of us, by the system's code. */
const UNAVAILABLE: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use; stop the other program or choose another port',
  EADDRNOTAVAIL: 'this machine does not have that address',
  ECONNREFUSED: 'nobody answers there',
}

/** The exit code for anything thrown, and what to tell the person in front of the terminal: never a stack trace. */
export function exitFor(error: unknown): Readonly<{ exitCode: number; message: string }> {
  if (!(error instanceof Error)) return { exitCode: EXIT.software, message: `elemta: ${String(error)}` }
  // These begin with file and line, so that editors and terminals can jump there.
  if (error instanceof ConfigError) return { exitCode: EXIT.config, message: error.message }
  const message = `elemta: ${error.message}`
  if (error instanceof ExitError) return { exitCode: error.exitCode, message }
  const hint = 'code' in error ? UNAVAILABLE[String(error.code)] : undefined
  if (hint !== undefined) return { exitCode: EXIT.unavailable, message: `${message}: ${hint}` }
  return { exitCode: EXIT.software, message: `${message} (ELEMTA_DEBUG=1 shows where)` }
}
