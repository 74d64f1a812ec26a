// Requests to AWS without the SDK's middleware, which takes more processor time than all else that a message costs: a
// request is made by its caller, signed here, and sent by a client's own connections, credentials, clock and time limits.
// Only what goes well is an answer. Whatever else happens (refused, throttled, no answer in time, half an answer) is none,
// and the caller asks again through the SDK, which knows all about trying again. So only what may be asked twice is asked
// here. Knows clients by their shape, so that no SDK is imported.
import { createHash } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { SignatureV4, type SignatureV4CryptoInit, type SignatureV4Init } from '@smithy/signature-v4'

/** Where the SDK would send it. */
export type Place = Readonly<{ protocol: string; hostname: string; port?: number }>

export type SignedRequest = Readonly<{
  method: 'PUT' | 'GET' | 'DELETE' | 'POST'
  place: Place
  /** Of letters, digits and `/`. */
  path: string
  headers?: Readonly<Record<string, string>>
  body?: Buffer
  /** SHA-256 of the body; made from it unless given. */
  digest?: Buffer
}>

/** Names of headers are in lower case; the body is whole. */
export type SignedAnswer = Readonly<{ status: number; headers: Readonly<Record<string, string>>; body: Buffer }>

/** Resolves with the answer of a request that went well, with undefined when it is not known to have; never rejects. */
export type SignedRequests = (request: SignedRequest) => Promise<SignedAnswer | undefined>

type Provided<T> = () => Promise<T>

/** Of a client of the SDK: its `config`. */
export type ClientConfig = Readonly<{
  region: Provided<string>
  credentials: SignatureV4Init['credentials']
  sha256: unknown
  /** Milliseconds that AWS is known to be ahead. */
  systemClockOffset: number
  // biome-ignore lint/suspicious/noExplicitAny: a request of the SDK is more than what is sent here
  requestHandler: Readonly<{ handle(request: any): Promise<Readonly<{ response: any }>> }>
}>

export type SignedRequestsOptions = Readonly<{
  service: 's3' | 'sqs' | 'dynamodb'
  /** Told of every answer, whatever it says. */
  answered?: (request: SignedRequest, answer: SignedAnswer) => void
}>

/** Milliseconds that an answer's body may take: as much as is asked for here comes at once. */
const BODY_TIME = 10_000
/** Milliseconds at most until the SDK goes on, as it would have waited itself. */
const PAUSE = { failed: 100, throttled: 500 } as const
const NOTHING = Buffer.alloc(0)

export function createSignedRequests(config: ClientConfig, options: SignedRequestsOptions): SignedRequests {
  const { service, answered = () => {} } = options
  const signer = new SignatureV4({
    service,
    region: config.region,
    credentials: config.credentials,
    sha256: config.sha256 as SignatureV4CryptoInit['sha256'],
    uriEscapePath: service !== 's3',
    applyChecksum: false,
  })

  async function send(request: SignedRequest): Promise<SignedAnswer | undefined> {
    const { method, place, path, headers, body, digest = sha256(body ?? NOTHING) } = request
    const { protocol, hostname, port } = place
    const asked = await signer.sign(
      {
        method,
        protocol,
        hostname,
        ...(port && { port }),
        path,
        query: {},
        headers: {
          host: port ? `${hostname}:${port}` : hostname,
          ...headers,
          'x-amz-content-sha256': digest.toString('hex'),
          ...(body && { 'content-length': String(body.length) }),
        },
      },
      { signingDate: new Date(Date.now() + config.systemClockOffset) },
    )
    const { response } = await config.requestHandler.handle({ ...asked, body })
    const answer = { status: response.statusCode, headers: response.headers, body: await whole(response.body) }
    answered(request, answer)
    if (answer.status < 300) return answer
    if (answer.status === 429 || answer.status === 503) await upTo(PAUSE.throttled)
    else if (answer.status >= 500) await upTo(PAUSE.failed)
    return undefined
  }

  return async request => {
    try {
      return await send(request)
    } catch {
      await upTo(PAUSE.failed)
      return undefined
    }
  }
}

async function whole(body: AsyncIterable<Buffer> & Readonly<{ destroy(): void }>): Promise<Buffer> {
  const timer = setTimeout(() => body.destroy(), BODY_TIME)
  try {
    const chunks: Buffer[] = []
    for await (const chunk of body) chunks.push(chunk)
    return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
  } finally {
    clearTimeout(timer)
  }
}

function sha256(octets: Buffer): Buffer {
  return createHash('sha256').update(octets).digest()
}

/** Never the same for two who failed together. */
function upTo(milliseconds: number): Promise<void> {
  return wait(Math.random() * milliseconds)
}
