// Load by Debian's smtp-source: C, one process, waits for every reply (no pipelining), the same body every time.
// It stops with an error at the first reply it does not expect, so a finished batch is an accepted batch.
import { run } from './program.ts'
import { RECIPIENT, SENDER } from './server.ts'

export type Batch = Readonly<{
  port: number
  messages: number
  sessions: number
  /** Octets of the body. */
  size: number
  /** Many messages on a connection; otherwise a connection for each. */
  reuse: boolean
}>

/** Sends the batch; resolves when every message has its 250. */
export async function sendBySource({ port, messages, sessions, size, reuse }: Batch): Promise<void> {
  const shape = [
    '-4',
    '-M',
    'client.example.org',
    '-s',
    sessions,
    '-m',
    messages,
    '-l',
    size,
    ...(reuse ? ['-d'] : []),
  ].map(String)
  await run('smtp-source', [...shape, '-f', SENDER, '-t', RECIPIENT, `127.0.0.1:${port}`])
}
