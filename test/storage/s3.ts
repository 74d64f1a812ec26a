// S3 and SQS in this process, with a bucket and queues of a test's own.
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { startFauxqs } from 'fauxqs'
import { type Front, startFront } from './http-front.ts'

export const CREDENTIALS = { accessKeyId: 'test', secretAccessKey: 'test' }
export const REGION = 'us-east-1'

let front: Promise<Front> | undefined

async function startFauxqsFront(): Promise<Front> {
  const { port } = await startFauxqs({ port: 0, logger: false })
  return startFront(`http://127.0.0.1:${port}`)
}

/** The emulator, which lives as long as the test's process, with a front before it. */
export function fauxqs(): Promise<Front> {
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
