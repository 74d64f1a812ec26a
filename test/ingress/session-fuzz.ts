// Clients that say anything: a script is made from random numbers alone, so that a seed makes it again, then played on
// a listener of any mode. What the server answered comes back as one text for each layer, in the open and over TLS.
import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { connect as shakeHands } from 'node:tls'
import { CREDENTIALS } from './modes.ts'

/** Numbers from 0 up to, not including, 1; the same ones for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** `starttls` says it and shakes hands when the server is ready. */
type Step = Readonly<{ say: Buffer } | { pause: number } | 'starttls'>
type Ending = 'quit' | 'close' | 'reset' | 'drop'
export type Script = Readonly<{ mode: Mode; steps: readonly Step[]; ending: Ending }>
export type Mode = 'mx' | 'submission' | 'submissions'

/** `output`: what came in the open, and over TLS. `cut`: it may end anywhere, since the client did not wait. */
export type Played = Readonly<{ output: readonly string[]; cut: boolean }>

const OPENING = ['EHLO fuzz.example', 'MAIL FROM:<a@b.test>', 'RCPT TO:<bob@example.com>', 'DATA']
const WHOLE = [...OPENING, 'Subject: x', '', 'x', '.'].join('\r\n')
const LINES = [
  ...OPENING,
  ...[WHOLE, WHOLE, WHOLE, WHOLE],
  ...[
    'HELO c',
    'EHLO [127.0.0.1]',
    'MAIL FROM:<>',
    'MAIL FROM:<a@b.test> SIZE=100 BODY=8BITMIME',
    'RCPT TO:<postmaster>',
  ],
  ...['RCPT TO:<@a.test:bob@example.com>', 'RCPT TO:<x@elsewhere.test>', 'RSET', 'NOOP', 'VRFY bob', 'EXPN x', 'HELP'],
  ...[
    'AUTH PLAIN',
    `AUTH PLAIN ${CREDENTIALS}`,
    CREDENTIALS,
    'AUTH LOGIN',
    'Ym9i',
    'c2VjcmV0',
    '*',
    'AUTH X',
    'STARTTLS',
  ],
  ...['XCLIENT ADDR=192.0.2.1', 'XFORWARD NAME=x', 'BDAT 4 LAST', 'GET / HTTP/1.1', 'QUIT', '', 'FOO', 'Subject: x'],
  ...['.', '..', '...', 'Received: by x', 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2', 'x'.repeat(3000), '@'.repeat(900)],
]
const ENDS = [
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\n',
  '\r',
  '\r\r\n',
  '\n\r',
  '\0\r\n',
  '',
  '\r\n.\r\n',
  '\r\n.\r\n',
]

export function scriptFrom(random: () => number): Script {
  const below = (limit: number) => Math.floor(random() * limit)
  const one = <T>(from: readonly T[]): T => from[below(from.length)]!
  const mode = one(['mx', 'mx', 'submission', 'submissions'] as const)
  const steps: Step[] = []
  if (mode === 'submission' && random() < 0.7) steps.push('starttls')
  if (mode !== 'mx' && random() < 0.8) steps.push(text(`EHLO c\r\nAUTH PLAIN ${CREDENTIALS}\r\n`))
  // Deep states are rare by chance alone.
  steps.push(
    text(
      OPENING.slice(0, below(OPENING.length + 1))
        .map(line => `${line}\r\n`)
        .join(''),
    ),
  )
  for (let n = below(20); n > 0; n--) {
    const kind = random()
    if (kind < 0.65) steps.push(cut(lines()))
    else if (kind < 0.8) steps.push({ say: Buffer.from(Array.from({ length: below(200) }, () => below(256))) })
    else if (kind < 0.82)
      steps.push({ say: Buffer.alloc(below(100_000), one(['..\r\n', 'x', '\n', '\0', 'NOOP\r\n'])) })
    else if (kind < 0.84) steps.push('starttls')
    else steps.push({ pause: below(3) })
  }
  return { mode, steps, ending: one(['quit', 'quit', 'close', 'close', 'reset', 'drop'] as const) }

  function text(said: string): Step {
    return { say: Buffer.from(said, 'latin1') }
  }
  function lines(): string {
    return Array.from({ length: 1 + below(6) }, () => mutated(one(LINES)) + one(ENDS)).join('')
  }
  function mutated(line: string): string {
    if (random() < 0.7) return line
    const at = below(line.length + 1)
    const sign = String.fromCharCode(below(256))
    return one([line.slice(0, at), line.slice(0, at) + sign + line.slice(at), line.toLowerCase(), line + line])
  }
  /** Ends anywhere: the rest of the line comes with the next segment, or never. */
  function cut(said: string): Step {
    return text(random() < 0.8 ? said : said.slice(0, below(said.length)))
  }
}

/** Resolves when the client is gone, or the server has closed. Never rejects: what a server does is in the output. */
export async function play({ steps, ending, mode }: Script, port: number): Promise<Played> {
  const plain = createConnection({ host: '127.0.0.1', port, noDelay: true })
  const output: string[] = []
  let socket = listenTo(plain)
  let secure = false
  const closed = new Promise<void>(resolve => plain.once('close', () => resolve()))
  if (mode === 'submissions') await upgrade()
  for (const step of steps) {
    if (socket.destroyed || socket.readableEnded) break
    if (step === 'starttls') {
      if (secure) continue
      socket.write('STARTTLS\r\n')
      if (await heardReady()) await upgrade()
    } else if ('say' in step) socket.write(step.say)
    else for (let n = 0; n <= step.pause; n++) await settled()
  }
  if (ending === 'drop') socket.destroy()
  else if (ending === 'reset') plain.resetAndDestroy()
  else {
    socket.end(ending === 'quit' ? '\r\n.\r\nQUIT\r\n' : '')
    await closed
  }
  return { output, cut: ending === 'drop' || ending === 'reset' || secure }

  function listenTo(some: Socket): Socket {
    const layer = output.push('') - 1
    return some
      .on('error', () => {})
      .on('data', octets => {
        output[layer] += octets.toString('latin1')
      })
  }

  async function upgrade(): Promise<void> {
    const over = shakeHands({ socket: plain, rejectUnauthorized: false })
    secure = true
    over.on('error', () => {})
    const ready = once(over, 'secureConnect').then(
      () => over,
      () => undefined,
    )
    const gone = closed.then(() => undefined)
    if (await Promise.race([ready, gone])) socket = listenTo(over)
  }

  /** What a client does who heard that it may; inside DATA or an exchange it is never told. */
  async function heardReady(): Promise<boolean> {
    for (let n = 0; n < 50 && !plain.destroyed; n++) {
      if (output[0]?.endsWith('Ready to start TLS\r\n')) return true
      await settled()
    }
    return false
  }

  /** A round of the event loop, in which the server may have answered. */
  function settled(): Promise<void> {
    return new Promise(resolve => setImmediate(resolve))
  }
}
