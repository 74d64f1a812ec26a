// Contents as objects of a bucket, `incoming/<queue id>`. One request opens a small one; larger ones are streamed. What
// every message needs is asked without the SDK's middleware; the SDK does the rest, and what did not go well at once.
// What is read is checked against the checksum it was stored with: whoever reads a damaged content gets an error at its
// end, so that it is neither scanned as clean nor sent to the end.
import {
  DeleteObjectCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  ListObjectsV2Command,
  type S3Client,
} from '@aws-sdk/client-s3'
import { isQueueId } from '../mail/queue-id.ts'
import type { Count } from '../platform/billed-requests.ts'
import type { SignedAnswer } from '../platform/signed-requests.ts'
import { MAIL_BUCKET } from './aws-schema.ts'
import { createVerifier, PART_SIZE_KEY, SHA256_KEY } from './content-checksum-s3.ts'
import { createS3Draft, PART_SIZE } from './content-draft-s3.ts'
import { type Content, ContentMissingError, type MessageStore } from './message-store.ts'
import { createBucketRequests } from './signed-requests-s3.ts'

/** Up to this size `open` brings the whole content, in octets. */
const FIRST_READ = 128 * 1024
const PREFIX = MAIL_BUCKET.prefixes.incoming

export type StoredContent = Readonly<{
  queueId: string
  /** By the clock of the store, milliseconds since 1970. */
  storedAt: number
}>

export type S3MessageStore = MessageStore &
  Readonly<{
    stored(): AsyncIterable<StoredContent>
    /** Whether there is such a content. */
    has(queueId: string): Promise<boolean>
  }>

export type S3MessageStoreOptions = Readonly<{
  client: S3Client
  bucket: string
  /** Octets; for stores that take smaller parts than S3. */
  partSize?: number
  /** Objects asked for at a time when listing; as many as S3 gives, 1000, unless given. */
  page?: number
  /** Told of the requests that do not go through the client. */
  count?: Count | undefined
}>

type Answer = Pick<GetObjectCommandOutput, 'ContentRange' | 'ContentLength' | 'Metadata' | 'ChecksumSHA256'> &
  Readonly<{ Body: AsyncIterable<Buffer> | Iterable<Buffer> }>

export function createS3MessageStore({
  client,
  bucket,
  partSize = PART_SIZE,
  page,
  count,
}: S3MessageStoreOptions): S3MessageStore {
  const signed = createBucketRequests(client, bucket, count)
  const objectOf = (queueId: string) => ({ Bucket: bucket, Key: `${PREFIX}${queueId}` })

  async function get(queueId: string, options: Readonly<{ Range?: string; ChecksumMode?: 'ENABLED' }>) {
    const command = new GetObjectCommand({ ...objectOf(queueId), ...options })
    const answer = await client.send(command).catch(error => {
      throw error.name === 'NoSuchKey' ? new ContentMissingError(queueId) : error
    })
    return answer as Answer
  }

  async function getFirst(queueId: string): Promise<Answer> {
    const range = `bytes=0-${FIRST_READ - 1}`
    const answer = await signed({ method: 'GET', key: objectOf(queueId).Key, headers: { range } })
    return answer === undefined ? get(queueId, { Range: range }) : answerOf(answer)
  }

  /** Streams a large object. */
  async function* read(queueId: string, size: number, partSize: number | undefined): AsyncGenerator<Buffer> {
    const whole = await get(queueId, partSize === undefined ? {} : { ChecksumMode: 'ENABLED' })
    yield* verified(queueId, whole, size)
  }

  async function* stored(): AsyncGenerator<StoredContent> {
    let ContinuationToken: string | undefined
    do {
      const command = new ListObjectsV2Command({ Bucket: bucket, Prefix: PREFIX, MaxKeys: page, ContinuationToken })
      const { Contents = [], NextContinuationToken } = await client.send(command)
      for (const { Key = '', LastModified } of Contents) {
        const queueId = Key.slice(PREFIX.length)
        if (isQueueId(queueId) && LastModified !== undefined) yield { queueId, storedAt: LastModified.getTime() }
      }
      ContinuationToken = NextContinuationToken
    } while (ContinuationToken !== undefined)
  }

  return {
    draft(queueId) {
      // An id becomes a key here.
      if (!isQueueId(queueId)) throw new TypeError(`not a queue id: ${queueId}`)
      const stored = (size: number): Content => ({ size, chunks: () => read(queueId, size, partSize) })
      return createS3Draft({ client, signed, bucket, key: objectOf(queueId).Key, queueId, partSize, stored })
    },

    async open(queueId) {
      const first = await getFirst(queueId).catch(error => {
        // Of nothing there is no first octet.
        if (error.name === 'InvalidRange') return undefined
        throw error
      })
      if (first === undefined) return inMemory([])
      const size = Number(first.ContentRange?.split('/')[1] ?? first.ContentLength)
      if (size > FIRST_READ) {
        // To its end: a connection is kept only then.
        for await (const _ of first.Body);
        return { size, chunks: () => read(queueId, size, partSizeOf(first)) }
      }
      const chunks = []
      for await (const chunk of verified(queueId, first, size)) chunks.push(chunk)
      return inMemory(chunks)
    },

    has: queueId =>
      client.send(new HeadObjectCommand(objectOf(queueId))).then(
        () => true,
        error => {
          if (error.name === 'NotFound' || error.name === 'NoSuchKey') return false
          throw error
        },
      ),

    async remove(queueId) {
      const answer = await signed({ method: 'DELETE', key: objectOf(queueId).Key })
      if (answer === undefined) await client.send(new DeleteObjectCommand(objectOf(queueId)))
    },

    // A bucket is never full.
    hasRoom: async () => true,

    async *list() {
      for await (const { queueId } of stored()) yield queueId
    },

    stored,
  }
}

function inMemory(chunks: readonly Buffer[]): Content {
  return {
    size: chunks.reduce((sum, { length }) => sum + length, 0),
    async *chunks() {
      yield* chunks
    },
  }
}

/** As the SDK would tell it. */
function answerOf({ headers, body }: SignedAnswer): Answer {
  const named = [SHA256_KEY, PART_SIZE_KEY].map(key => [key, headers[`x-amz-meta-${key}`]])
  return {
    ContentRange: headers['content-range'],
    ContentLength: body.length,
    Metadata: Object.fromEntries(named.filter(([, value]) => value !== undefined)),
    Body: [body],
  }
}

function partSizeOf({ Metadata }: Answer): number | undefined {
  const partSize = Metadata?.[PART_SIZE_KEY]
  return partSize === undefined ? undefined : Number(partSize)
}

/** The octets of an answer, which must be the whole object. */
async function* verified(queueId: string, answer: Answer, size: number): AsyncGenerator<Buffer> {
  const partSize = partSizeOf(answer)
  const composite = partSize === undefined ? undefined : answer.ChecksumSHA256
  const verifier = createVerifier({ queueId, size, sha256: answer.Metadata?.[SHA256_KEY], partSize, composite })
  for await (const chunk of answer.Body) {
    verifier.take(chunk)
    yield chunk
  }
  verifier.end()
}
