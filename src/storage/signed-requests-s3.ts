// Requests to the bucket without the SDK's middleware, which takes more processor time than all else that a message costs:
// a request is made here, signed, and sent by the SDK's own connections, credentials, clock and time limits.
// Only what goes well is an answer. Whatever else happens (refused, throttled, no answer in time, half an answer) is none,
// and the caller asks again through the SDK, which knows all about trying again. So everything here may be asked twice.

import { setTimeout as wait } from 'node:timers/promises'
import type { S3Client } from '@aws-sdk/client-s3'
import { SignatureV4 } from '@smithy/signature-v4'
import type { Count } from '../platform/billed-requests.ts'
import { sha256 } from './content-checksum-s3.ts'

export type SignedRequest = Readonly<{
  method: 'PUT' | 'GET' | 'DELETE'
  /** Of an object: letters, digits and `/`. */
  key: string
  headers?: Readonly<Record<string, string>>
  /** SHA-256 of the body, known to the caller. */
  body?: Readonly<{ octets: Buffer; digest: Buffer }>
}>

/** Names of headers are in lower case; the body is whole. */
export type SignedAnswer = Readonly<{ headers: Readonly<Record<string, string>>; body: Buffer }>

/** Resolves with the answer of a request that went well, with undefined when it is not known to have; never rejects. */
export type SignedRequests = (request: SignedRequest) => Promise<SignedAnswer | undefined>

/** What is asked of the SDK's connections; its own type says nothing of answers. */
type Handled = Readonly<{ response: Readonly<{ statusCode: number; headers: Record<string, string>; body: Body }> }>
type Body = AsyncIterable<Buffer> & Readonly<{ destroy(): void }>

const NOTHING = sha256(Buffer.alloc(0))
/** Milliseconds that an answer's body may take: as much as is asked for here comes at once. */
const BODY_TIME = 10_000
/** Milliseconds at most until the SDK goes on, as it would have waited itself. */
const PAUSE = { failed: 100, throttled: 500 } as const

export function createSignedRequests(client: S3Client, bucket: string, count: Count = () => {}): SignedRequests {
  const { config } = client
  const signer = new SignatureV4({
    service: 's3',
    region: config.region,
    credentials: config.credentials,
    sha256: config.sha256,
    uriEscapePath: false,
    applyChecksum: false,
  })
  let place: Promise<URL> | undefined

  async function send({ method, key, headers = {}, body }: SignedRequest): Promise<SignedAnswer | undefined> {
    place ??= bucketUrl(client, bucket)
    const { protocol, hostname, port, host, pathname } = await place
    const asked = await signer.sign(
      {
        method,
        protocol,
        hostname,
        ...(port !== '' && { port: Number(port) }),
        path: `${pathname.replace(/\/$/, '')}/${key}`,
        query: {},
        headers: {
          host,
          ...headers,
          'x-amz-content-sha256': (body?.digest ?? NOTHING).toString('hex'),
          ...(body && { 'content-length': String(body.octets.length) }),
        },
      },
      { signingDate: new Date(Date.now() + config.systemClockOffset) },
    )
    const { response } = (await config.requestHandler.handle({ ...asked, body: body?.octets } as never)) as Handled
    const answer = { headers: response.headers, body: await whole(response.body) }
    const { statusCode } = response
    if (statusCode < 500 && statusCode !== 429) tell(count, method)
    if (statusCode < 300) return answer
    if (statusCode === 429 || statusCode === 503) await upTo(PAUSE.throttled)
    else if (statusCode >= 500) await upTo(PAUSE.failed)
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

/** Where the bucket is, by the SDK's own rules. */
async function bucketUrl({ config }: S3Client, Bucket: string): Promise<URL> {
  const given = await config.endpoint?.()
  const { url } = config.endpointProvider({
    Bucket,
    Region: await config.region(),
    UseFIPS: Boolean(await config.useFipsEndpoint()),
    UseDualStack: Boolean(await config.useDualstackEndpoint()),
    ForcePathStyle: Boolean(config.forcePathStyle),
    ...(given && {
      Endpoint: `${given.protocol}//${given.hostname}${given.port ? `:${given.port}` : ''}${given.path}`,
    }),
  })
  return url
}

async function whole(body: Body): Promise<Buffer> {
  const timer = setTimeout(() => body.destroy(), BODY_TIME)
  try {
    const chunks: Buffer[] = []
    for await (const chunk of body) chunks.push(chunk)
    return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
  } finally {
    clearTimeout(timer)
  }
}

/** Removals are free. */
function tell(count: Count, method: SignedRequest['method']): void {
  if (method === 'PUT') count('s3Put', 1)
  if (method === 'GET') count('s3Get', 1)
}

/** Never the same for two who failed together. */
function upTo(milliseconds: number): Promise<void> {
  return wait(Math.random() * milliseconds)
}
