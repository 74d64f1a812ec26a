// A load generator that costs little: `node test/bench/load.ts PORT SESSIONS MESSAGES SIZE SEED`.
// Every message is different and made before the clock starts; a connection for each, no pipelining, like smtp-source.
// Prints one JSON line: when it began (milliseconds since 1970), seconds, and the median and 99th percentile from connect to the final 250 in milliseconds.
// Ends with an error at the first reply that is not the expected one. Above 1 MB all messages share one body.
import { connect } from 'node:net'
import { distinctMessages, largeMessage } from './messages.ts'
import { RECIPIENT, SENDER } from './server.ts'

export type LoadResult = Readonly<{ startedAt: number; seconds: number; p50: number; p99: number }>

const [port, sessions, messages, size, seed] = process.argv.slice(2).map(Number) as [
  number,
  number,
  number,
  number,
  number,
]
const LARGE = 1_000_000

const source = distinctMessages(size, seed)
const contents =
  size > LARGE
    ? new Array<Buffer>(messages).fill(largeMessage(size, seed))
    : Array.from({ length: messages }, () => source.next().value!)
const latencies: number[] = []
let next = 0

const startedAt = Date.now()
const started = performance.now()
await Promise.all(Array.from({ length: Math.min(sessions, messages) }, session))
const seconds = (performance.now() - started) / 1000
latencies.sort((a, b) => a - b)
const quantile = (q: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * q))]!
process.stdout.write(
  `${JSON.stringify({ startedAt, seconds, p50: quantile(0.5), p99: quantile(0.99) } satisfies LoadResult)}\n`,
)

async function session(): Promise<void> {
  while (next < contents.length) {
    const content = contents[next++]!
    const began = performance.now()
    await send(content)
    latencies.push(performance.now() - began)
  }
}

/** One connection, one transaction. The dialogue is a list: the code to wait for, then what to say. */
function send(content: Buffer): Promise<void> {
  const dialogue: (readonly [code: string, say: () => void])[] = [
    ['220', () => say('EHLO client.example.org\r\n')],
    ['250', () => say(`MAIL FROM:<${SENDER}>\r\n`)],
    ['250', () => say(`RCPT TO:<${RECIPIENT}>\r\n`)],
    ['250', () => say('DATA\r\n')],
    ['354', () => sayContent()],
    ['250', () => socket.end('QUIT\r\n')],
  ]
  const socket = connect(port, '127.0.0.1')
  const say = (text: string) => socket.write(text, 'latin1')
  const sayContent = () => {
    socket.cork()
    socket.write(content)
    socket.write('.\r\n')
    socket.uncork()
  }
  return new Promise((resolve, reject) => {
    let step = 0
    let reply = ''
    socket.setNoDelay(true)
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`closed at step ${step}`)))
    socket.on('data', data => {
      reply += data.toString('latin1')
      // The last line of a reply has a space after its code (RFC 5321 §4.2.1).
      if (!/^\d{3} [^\n]*\n$/m.test(reply)) return
      const [code, act] = dialogue[step]!
      if (!reply.startsWith(code)) {
        socket.destroy(new Error(`step ${step}: ${reply.trim()}`))
        return
      }
      reply = ''
      act()
      if (++step < dialogue.length) return
      socket.removeAllListeners('close')
      socket.removeAllListeners('data')
      socket.resume()
      socket.on('error', () => {}) // the server may reset after QUIT
      resolve()
    })
  })
}
