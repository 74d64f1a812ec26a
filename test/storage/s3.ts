// S3 and SQS in this process, with a bucket and queues of a test's own.
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { startFauxqs } from 'fauxqs'
import { inject } from 'vitest'
import { type Front, type FrontRequest, startFront } from './http-front.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Address of an emulator of S3 and SQS; absent: fauxqs. */
    awsEndpoint?: string
  }
}

export const CREDENTIALS = { accessKeyId: 'test', secretAccessKey: 'test' }
export const REGION = 'us-east-1'

let front: Promise<Front> | undefined

async function startFauxqsFront(): Promise<Front> {
  const { port } = await startFauxqs({ port: 0, logger: false })
  return startFront(`http://127.0.0.1:${port}`, { translate: withoutChecksums })
}

/** fauxqs reads the parts of an upload only without their checksums. */
function withoutChecksums({ method, path, body }: FrontRequest): Buffer {
  if (method !== 'POST' || !path.includes('uploadId=')) return body
  return Buffer.from(body.toString().replace(/<Checksum\w+>[^<]*<\/Checksum\w+>/g, ''))
}

/** Of S3 and SQS: the emulator that the run was given (`npm run test:aws`), else fauxqs in this process. */
export async function awsEndpoint(): Promise<string> {
  return inject('awsEndpoint') ?? (await fauxqs()).endpoint
}

/** The emulator, which lives as long as the test's process, with a front before it. */
function fauxqs(): Promise<Front> {
  front ??= startFauxqsFront()
  return front
}

export function s3Client(endpoint: string): S3Client {
  return new S3Client({ endpoint, region: REGION, credentials: CREDENTIALS, forcePathStyle: true })
}

let buckets = 0

export async function newBucket(client: S3Client): Promise<string> {
  const bucket = `mail-${process.pid}-${++buckets}-${Date.now()}`
  await client.send(new CreateBucketCommand({ Bucket: bucket }))
  return bucket
}
