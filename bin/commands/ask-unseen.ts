// Asks for a secret at a terminal, unseen. Where there is no terminal nobody is asked.
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'

/** Undefined without a terminal, and for an empty answer. */
export async function askUnseen(question: string): Promise<string | undefined> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined
  process.stderr.write(question)
  const output = new Writable({ write: (_chunk, _encoding, done) => done() })
  const terminal = createInterface({ input: process.stdin, output, terminal: true })
  try {
    return (await terminal.question('')).trim() || undefined
  } finally {
    terminal.close()
    process.stderr.write('\n')
  }
}
