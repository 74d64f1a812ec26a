// Load by tls-source.c, built with gcc for this run: TLS, many client addresses. See there for what it does.
import { join } from 'node:path'
import { run } from './program.ts'
import { RECIPIENT, SENDER } from './server.ts'
import type { Batch } from './source.ts'

export type TlsLoad = Readonly<{
  tls: 'none' | 'starttls' | 'implicit'
  /** Every session but the first of each client is resumed. */
  resume?: boolean
  /** Only handshakes: a "message" is connect, handshake, 220, QUIT, 221. */
  handshakesOnly?: boolean
  /** Messages on a connection; 1 when absent. */
  perConnection?: number
  /** So many client addresses, in turn. */
  addresses?: number
}>

export type TlsSource = Readonly<{
  /** What sends a batch in this way. */
  sender(load: TlsLoad): (batch: Batch) => Promise<void>
  /** What was spoken last: `TLSv1.3 TLS_AES_256_GCM_SHA384`. */
  spoken(): string
}>

/** Throws when there is no compiler or no OpenSSL to build with. */
export async function buildTlsSource(directory: string): Promise<TlsSource> {
  const program = join(directory, 'tls-source')
  const libraries = ['-lssl', '-lcrypto', '-pthread']
  await run('gcc', ['-O2', '-o', program, join(import.meta.dirname, 'tls-source.c'), ...libraries])
  let spoken = ''
  return {
    sender:
      ({ tls, resume = false, handshakesOnly = false, perConnection = 1, addresses = 0 }) =>
      async ({ port, messages, sessions, size }) => {
        const numbers = {
          p: port,
          s: sessions,
          m: messages,
          l: handshakesOnly ? 0 : size,
          c: perConnection,
          a: addresses,
        }
        const shape = Object.entries(numbers).flatMap(([option, value]) => [`-${option}`, String(value)])
        const told = await run(program, [...shape, '-t', tls, ...(resume ? ['-r'] : []), '-f', SENDER, '-o', RECIPIENT])
        spoken = (JSON.parse(told) as { tls: string }).tls
      },
    spoken: () => spoken,
  }
}
