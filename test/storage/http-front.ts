// A small HTTP proxy before an emulator, on a free port: passes everything on, and does to requests what a test wants:
// another answer, an answer much too late, an effect without an answer, the same thing twice.
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export type FrontRequest = Readonly<{
  method: string
  /** With the query. */
  path: string
  /** `PutItem`, `SendMessageBatch`; empty for S3, whose method and path say it. */
  action: string
  headers: IncomingHttpHeaders
  body: Buffer
}>

/**
 * pass: as if there were no front. `status`: this answer instead of the emulator's, which sees nothing. lost: the
 * emulator does it, and the connection breaks before the answer. cut: it breaks in the middle of the answer. dropped: it
 * breaks at once, and nothing is done. hang: nothing is ever answered, nor done.
 */
export type Fate = 'pass' | 'lost' | 'cut' | 'dropped' | 'hang' | Readonly<{ status: number; body?: string }>

export type Front = Readonly<{
  endpoint: string
  /** What has come in, in order. */
  requests: FrontRequest[]
  /** How many have been opened. */
  connections(): number
  /** Asked about each request; `pass` for all until it is set. */
  decide(fate: (request: FrontRequest) => Fate | Promise<Fate>): void
  close(): Promise<void>
}>

type FrontOptions = Readonly<{
  /** Free unless given. */
  port?: number | undefined
  /** Where requests to DynamoDB go, if not to the same. */
  dynamodb?: string
  /** The body as the emulator can read it. */
  translate?(request: FrontRequest): Buffer
}>

export async function startFront(target: string, options: FrontOptions = {}): Promise<Front> {
  const { port: ownPort = 0, dynamodb = target, translate = ({ body }) => body } = options
  const requests: FrontRequest[] = []
  let decide: (request: FrontRequest) => Fate | Promise<Fate> = () => 'pass'

  const server: Server = createServer(async (incoming, outgoing) => {
    const { method = 'GET', url: path = '/' } = incoming
    const [service = '', action = ''] = String(incoming.headers['x-amz-target'] ?? '').split('.')
    const { hostname, port } = new URL(service.startsWith('DynamoDB') ? dynamodb : target)
    const body = await bodyOf(incoming)
    const seen = { method, path, action, headers: incoming.headers, body }
    requests.push(seen)
    const fate = await decide(seen)
    if (fate === 'hang') return
    if (fate === 'dropped') {
      incoming.socket.destroy()
      return
    }
    if (typeof fate === 'object') {
      outgoing.writeHead(fate.status).end(fate.body)
      return
    }
    const passed = translate(seen)
    const headers = { ...incoming.headers, 'content-length': String(passed.length) }
    const onward = request({ hostname, port, method, path, headers }, answer => {
      if (fate === 'lost') {
        answer.resume()
        answer.on('end', () => incoming.socket.destroy())
        return
      }
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
      if (fate === 'cut') answer.once('data', half).resume()
      else answer.pipe(outgoing)
    })
    const half = (chunk: Buffer) => {
      outgoing.write(chunk.subarray(0, chunk.length >> 1), () => incoming.socket.destroy())
    }
    onward.on('error', () => outgoing.destroy())
    outgoing.on('close', () => onward.destroy())
    onward.end(passed)
  })
  let connections = 0
  server.on('connection', () => connections++)
  await new Promise<void>(resolve => server.listen(ownPort, '127.0.0.1', resolve))

  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    connections: () => connections,
    decide(fate) {
      decide = fate
    },
    close() {
      const closed = new Promise<void>(resolve => server.close(() => resolve()))
      server.closeAllConnections()
      return closed
    },
  }
}

async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const chunks = []
  for await (const chunk of incoming) chunks.push(chunk)
  return Buffer.concat(chunks)
}
