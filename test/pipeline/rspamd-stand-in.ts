// A server that answers every scan like an rspamd, with the action and symbols that a test chooses.
import { type StandIn, standIn } from '../scan/stand-in.ts'

export type Answer = Readonly<{ action: string; score?: number; symbols?: Readonly<Record<string, { score: number }>> }>

/** Enough symbols to show that it has looked. */
const LOOKED = { MIME_GOOD: { score: -0.1 }, R_SPF_ALLOW: { score: -0.2 } }

export function rspamdThatSays(answer: () => Answer): Promise<StandIn> {
  return standIn(socket => {
    let request = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      request = Buffer.concat([request, chunk])
      const head = request.indexOf('\r\n\r\n')
      if (head === -1) return
      const length = Number(/content-length: *(\d+)/i.exec(request.toString('latin1', 0, head))?.[1] ?? 0)
      if (request.length < head + 4 + length) return
      const { action, score = 3, symbols = LOOKED } = answer()
      const body = JSON.stringify({ is_skipped: false, score, required_score: 15, action, symbols })
      socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
    })
    socket.resume()
  })
}
