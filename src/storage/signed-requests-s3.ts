// Requests to the bucket the short way (src/platform/signed-requests.ts), by the keys of its objects.
import type { S3Client } from '@aws-sdk/client-s3'
import type { Count } from '../platform/billed-requests.ts'
import { createSignedRequests, type SignedRequest, type SignedRequests } from '../platform/signed-requests.ts'

/** `path` is an object's key. */
export function createBucketRequests(client: S3Client, bucket: string, count: Count = () => {}): SignedRequests {
  const { config } = client
  return createSignedRequests(config, {
    service: 's3',
    parameters: { Bucket: bucket, ForcePathStyle: Boolean(config.forcePathStyle) },
    answered: ({ method }, { status }) => status < 500 && status !== 429 && tell(count, method),
  })
}

/** Removals are free. */
function tell(count: Count, method: SignedRequest['method']): void {
  if (method === 'PUT') count('s3Put', 1)
  if (method === 'GET') count('s3Get', 1)
}
