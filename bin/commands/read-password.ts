// Gets a new password from whoever runs the command: typed twice and unseen at a terminal, else the first line of
// standard input, for scripts. It is never an argument: those stand in the list of processes and in shell histories.
import { text } from 'node:stream/consumers'
import type { ReadStream } from 'node:tty'
import { EXIT, ExitError } from '../../src/platform/exit.ts'

const LONGEST = 4096

const [CONTROL_C, CONTROL_D, CONTROL_U, DELETE] = ['\u0003', '\u0004', '\u0015', '\u007f']

/** Throws ExitError when there is none, or the two differ. */
export async function readPassword(name: string): Promise<string> {
  const input = process.stdin
  const password = input.isTTY ? await askTwice(input, name) : (await text(input)).split(/\r?\n/, 1)[0]!
  if (password === '') throw new ExitError(EXIT.usage, 'the password is empty')
  if (password.includes('\0')) throw new ExitError(EXIT.usage, 'a password cannot hold NUL (RFC 4616 §2)')
  if (Buffer.byteLength(password) > LONGEST) throw new ExitError(EXIT.usage, `more than ${LONGEST} octets of password`)
  return password
}

/** The terminal does not echo from before the first prompt to after the last answer: what is typed ahead stays unseen. */
async function askTwice(terminal: ReadStream, name: string): Promise<string> {
  terminal.setRawMode(true)
  terminal.setEncoding('utf8')
  try {
    const password = await ask(terminal, `Password for ${name}: `)
    if ((await ask(terminal, 'Once more: ')) === password) return password
    throw new ExitError(EXIT.usage, 'the two passwords differ')
  } finally {
    terminal.setRawMode(false)
    terminal.pause()
  }
}

/** A line; the prompt is on standard error, since the output may go elsewhere. */
function ask(terminal: ReadStream, prompt: string): Promise<string> {
  process.stderr.write(prompt)
  return new Promise((resolve, reject) => {
    let typed: string[] = []
    function end() {
      terminal.off('data', read)
      terminal.pause()
      process.stderr.write('\n')
    }
    /** What comes in one piece may hold more than one line: pasted, or typed ahead. */
    function read(piece: string) {
      const keys = [...piece]
      for (const [at, key] of keys.entries()) {
        if (key === '\r' || key === '\n') {
          end()
          terminal.unshift(keys.slice(at + 1).join(''))
          resolve(typed.join(''))
          return
        }
        if (key === CONTROL_C || key === CONTROL_D) {
          end()
          reject(new ExitError(EXIT.usage, 'stopped; nothing was changed'))
          return
        }
        if (key === DELETE || key === '\b') typed.pop()
        else if (key === CONTROL_U) typed = []
        else typed.push(key)
      }
    }
    terminal.on('data', read)
    terminal.resume()
  })
}
