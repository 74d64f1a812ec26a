// Mail programs that other people wrote, run to their end against a gateway: swaks, curl, openssl.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { findProgram } from '../../local/embedded/program.ts'

export type Run = Readonly<{ code: number /** Standard output and errors as they came. */; said: string }>

/** Milliseconds; a client that hangs fails its story with what it said. */
const PATIENCE = 15_000

/** Throws when the program is not there, with the name of its Debian package. */
export async function runClient(
  [program, debianPackage]: readonly [string, string],
  args: readonly string[],
  input = '',
): Promise<Run> {
  const child = spawn(findProgram(program, debianPackage), args, { timeout: PATIENCE, killSignal: 'SIGKILL' })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', text => {
      said += text
    })
  }
  child.stdin.on('error', () => {}) // It may be gone before it has read.
  child.stdin.end(input)
  const [code, signal] = await once(child, 'close')
  if (signal !== null) throw new Error(`${program} ended with ${signal}:\n${said}`)
  return { code, said }
}

export const swaks = (...args: readonly string[]) => runClient(['swaks', 'swaks'], args)

/** The handshake after STARTTLS (or at once, without `-starttls smtp`), and nothing more. */
export const openssl = (port: number, ...args: readonly string[]) =>
  runClient(['openssl', 'openssl'], ['s_client', '-connect', `127.0.0.1:${port}`, '-brief', ...args])

/** Sends `input` as a message. */
export const curl = (input: string, ...args: readonly string[]) =>
  runClient(
    ['curl', 'curl'],
    ['--silent', '--show-error', '--insecure', '--verbose', '--upload-file', '-', ...args],
    input,
  )
