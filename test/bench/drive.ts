// The ceiling of the scanners: `node test/bench/drive.ts CLAMD RSPAMD AT-ONCE MESSAGES SIZE SEED` (the first two are
// ports) asks both about every message, side by side, with no gateway around them and as little code as possible.
// A connection per question: rspamd keeps none open, and clamd answers as fast either way. Prints a line like load.ts.
// Ends with an error at the first answer that is not "clean".
import { once } from 'node:events'
import { connect } from 'node:net'
import type { LoadResult } from './load.ts'
import { distinctMessages } from './messages.ts'
import { RECIPIENT, SENDER } from './server.ts'

const [clamd, rspamd, atOnce, messages, size, seed] = process.argv.slice(2).map(Number) as [
  number,
  number,
  number,
  number,
  number,
  number,
]

const source = distinctMessages(size, seed)
const contents = Array.from({ length: messages }, () => source.next().value!)
const latencies: number[] = []
let next = 0

const startedAt = Date.now()
await Promise.all(Array.from({ length: atOnce }, worker))
const seconds = (Date.now() - startedAt) / 1000
latencies.sort((a, b) => a - b)
const quantile = (q: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * q))]!
const result: LoadResult = { startedAt, seconds, p50: quantile(0.5), p99: quantile(0.99) }
process.stdout.write(`${JSON.stringify(result)}\n`)

async function worker(): Promise<void> {
  while (next < contents.length) {
    const content = contents[next++]!
    const began = performance.now()
    await Promise.all([askClamd(content), askRspamd(content)])
    latencies.push(performance.now() - began)
  }
}

async function askClamd(content: Buffer): Promise<void> {
  const head = Buffer.from('zINSTREAM\0\0\0\0\0')
  head.writeUInt32BE(content.length, 10)
  const answer = await exchange(clamd, [head, content, Buffer.alloc(4)])
  if (!answer.startsWith('stream: OK')) throw new Error(`clamd: ${answer}`)
}

async function askRspamd(content: Buffer): Promise<void> {
  const head = `POST /checkv2 HTTP/1.1\r\nHost: rspamd\r\nContent-Length: ${content.length}\r\nIP: 127.0.0.1\r\nHelo: client.example.org\r\nFrom: ${SENDER}\r\nRcpt: ${RECIPIENT}\r\n\r\n`
  const answer = await exchange(rspamd, [Buffer.from(head), content])
  if (!answer.includes('"action":"no action"')) throw new Error(`rspamd: ${answer}`)
}

/** Everything the server says until it closes. */
async function exchange(port: number, parts: readonly Buffer[]): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.setNoDelay(true)
  socket.cork()
  for (const part of parts) socket.write(part)
  socket.uncork()
  let answer = ''
  socket.on('data', data => (answer += data.toString('latin1')))
  await once(socket, 'close')
  return answer
}
