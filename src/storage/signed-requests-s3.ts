// Requests to the bucket the short way (src/platform/signed-requests.ts), by the keys of its objects.
import { HeadObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import type { Count } from '../platform/billed-requests.ts'
import { createSignedRequests, type Place, type SignedAnswer, type SignedRequest } from '../platform/signed-requests.ts'

/** As SignedRequests, of an object: letters, digits and `/`. */
export type BucketRequests = (
  request: Readonly<{ key: string }> & Omit<SignedRequest, 'place' | 'path'>,
) => Promise<SignedAnswer | undefined>

type Bucket = Readonly<{ place: Place; prefix: string }>

export function createBucketRequests(client: S3Client, name: string, count: Count = () => {}): BucketRequests {
  const ask = createSignedRequests(client.config, {
    service: 's3',
    answered: ({ method }, { status }) => status < 500 && status !== 429 && tell(count, method),
  })
  let bucket: Promise<Bucket> | undefined
  return async ({ key, ...request }) => {
    bucket ??= find(client, name)
    const found = await bucket.catch(() => undefined)
    if (found === undefined) {
      bucket = undefined
      return undefined
    }
    const { place, prefix } = found
    return ask({ ...request, place, path: `${prefix}${key}` })
  }
}

/** Where the SDK would ask for objects, by all that it goes by; nothing is asked. */
async function find(client: S3Client, bucket: string): Promise<Bucket> {
  const key = 'k'
  const command = new HeadObjectCommand({ Bucket: bucket, Key: key })
  let found: Bucket | undefined
  command.middlewareStack.add(
    () => async args => {
      const { protocol, hostname, port, path } = args.request as Place & Readonly<{ path: string }>
      found = { place: { protocol, hostname, ...(port && { port }) }, prefix: path.slice(0, -key.length) }
      return { output: { $metadata: {} }, response: {} }
    },
    { step: 'serialize', priority: 'low', name: 'findBucket' },
  )
  await client.send(command)
  if (found === undefined) throw new Error(`the SDK does not say where ${bucket} is`)
  return found
}

/** Removals are free. */
function tell(count: Count, method: SignedRequest['method']): void {
  if (method === 'PUT') count('s3Put', 1)
  if (method === 'GET') count('s3Get', 1)
}
