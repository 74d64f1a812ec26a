// A content on its way into the bucket. Up to one part it stays in memory and becomes an object by one PUT at `commit`;
// a larger one is a multipart upload whose parts go out while the octets arrive, and which `commit` completes. So an
// object is always whole, and without `commit` there is none. What a crash leaves of an upload the bucket's lifecycle ends.
// An answer that never came is a failure: the object may be there all the same, and the sweep removes what no record names.
// Memory: the part being filled and the one on its way out.
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { PART_SIZE_KEY, SHA256_KEY, sha256 } from './content-checksum-s3.ts'
import type { Content, Draft } from './message-store.ts'
import type { BucketRequests } from './signed-requests-s3.ts'

/** What S3 takes as the smallest part of an upload but the last. */
export const PART_SIZE = 5 * 1024 * 1024
const HEAD = 64 * 1024
const FIRST_BLOCK = 16 * 1024
const TYPE = { 'content-type': 'application/octet-stream' } as const

export type DraftOptions = Readonly<{
  client: S3Client
  signed: BucketRequests
  bucket: string
  key: string
  queueId: string
  /** Octets. */
  partSize: number
  /** The stored object as a content, for a look at a large one before it counts. */
  stored(size: number): Content
}>

type Part = Readonly<{ PartNumber: number; ETag: string | undefined; ChecksumSHA256: string }>

export function createS3Draft({ client, signed, bucket, key, queueId, partSize, stored }: DraftOptions): Draft {
  const object = { Bucket: bucket, Key: key }
  const giveUp = new AbortController()
  const abortable = { abortSignal: giveUp.signal }
  let block = Buffer.allocUnsafeSlow(0)
  let filled = 0
  let size = 0
  let shippedHead: Buffer | undefined
  let stage: 'receiving' | 'sealed' | 'discarded' = 'receiving'
  let upload: Promise<string> | undefined
  let shipped: Promise<unknown> = Promise.resolve()
  let shipping = 0
  let failure: Error | undefined
  const parts: Part[] = []
  let completing: Promise<unknown> | undefined
  let committing: Promise<unknown> | undefined

  /** Makes room for more octets in the block: it doubles, up to a part. */
  function grow(wanted: number) {
    if (wanted <= block.length) return
    const larger = Buffer.allocUnsafeSlow(Math.min(partSize, Math.max(wanted, 2 * block.length, FIRST_BLOCK)))
    block.copy(larger, 0, 0, filled)
    block = larger
  }

  async function begin(): Promise<string> {
    const command = new CreateMultipartUploadCommand({
      ...object,
      ChecksumAlgorithm: 'SHA256',
      Metadata: { [PART_SIZE_KEY]: String(partSize) },
    })
    const { UploadId } = await client.send(command, abortable)
    if (UploadId === undefined) throw new Error(`the bucket gave no upload id for ${queueId}`)
    return UploadId
  }

  async function sendPart(PartNumber: number, body: Buffer): Promise<void> {
    if (failure !== undefined) throw failure
    upload ??= begin()
    const ChecksumSHA256 = sha256(body).toString('base64')
    const command = { ...object, UploadId: await upload, PartNumber, Body: body, ChecksumSHA256 }
    const { ETag } = await client.send(new UploadPartCommand(command), abortable)
    parts.push({ PartNumber, ETag, ChecksumSHA256 })
  }

  /** Sends the block as the next part, after the one before. */
  function ship() {
    const body = block.subarray(0, filled)
    shippedHead ??= Buffer.from(body.subarray(0, HEAD))
    block = Buffer.allocUnsafeSlow(0)
    filled = 0
    shipping++
    const number = Math.ceil(size / partSize)
    shipped = shipped
      .then(() => sendPart(number, body))
      .catch(error => {
        failure ??= error
      })
      .finally(() => shipping--)
  }

  async function complete() {
    const command = { ...object, UploadId: await upload, MultipartUpload: { Parts: parts } }
    await client.send(new CompleteMultipartUploadCommand(command))
  }

  async function put() {
    const Body = block.subarray(0, filled)
    const digest = sha256(Body)
    const [hex, base64] = [digest.toString('hex'), digest.toString('base64')]
    const headers = { ...TYPE, [`x-amz-meta-${SHA256_KEY}`]: hex, 'x-amz-checksum-sha256': base64 }
    const answer = await signed({ method: 'PUT', key, headers, body: Body, digest })
    if (answer !== undefined) return
    const Metadata = { [SHA256_KEY]: hex }
    await client.send(new PutObjectCommand({ ...object, Body, Metadata, ChecksumSHA256: base64 }))
  }

  /** Of a large content: makes it an object. */
  function completed(): Promise<unknown> {
    completing ??= complete()
    return completing
  }

  async function* readCompleted(): AsyncGenerator<Buffer> {
    await completed()
    yield* stored(size).chunks()
  }

  return {
    get size() {
      return size
    },
    get head() {
      return shippedHead ?? block.subarray(0, Math.min(filled, HEAD))
    },

    write(chunk) {
      if (stage === 'discarded') return undefined
      if (stage === 'sealed') throw new Error(`${queueId} is sealed`)
      if (failure !== undefined) return Promise.reject(failure)
      let before: Promise<unknown> | undefined
      for (let taken = 0; taken < chunk.length; ) {
        // Not before there is more: what fits into one part is no upload.
        if (filled === partSize) {
          if (shipping > 0) before = shipped
          ship()
        }
        const piece = chunk.subarray(taken, taken + partSize - filled)
        grow(filled + piece.length)
        piece.copy(block, filled)
        filled += piece.length
        size += piece.length
        taken += piece.length
      }
      return before?.then(() => {
        if (failure !== undefined) throw failure
      })
    },

    async seal() {
      if (stage === 'discarded') throw new Error(`${queueId} was discarded`)
      stage = 'sealed'
      if (size <= partSize) return
      if (filled > 0) ship()
      await shipped
      if (failure !== undefined) throw failure
    },

    content() {
      if (stage !== 'sealed') throw new Error(`${queueId} cannot be read: it is ${stage}`)
      if (size > partSize) return { size, chunks: readCompleted }
      const octets = block.subarray(0, filled)
      return {
        size,
        async *chunks() {
          if (octets.length > 0) yield octets
        },
      }
    },

    // Not async: what is wrong with the call itself must keep `together` from writing the rest.
    commit() {
      if (stage !== 'sealed') throw new Error(`${queueId} cannot be committed: it is ${stage}`)
      if (committing !== undefined) throw new Error(`${queueId} was committed before`)
      const committed = (size > partSize ? completed() : put()).then(() => {})
      committing = committed
      return committed
    },

    async discard() {
      if (stage === 'discarded') return
      stage = 'discarded'
      const committed = await committing?.then(
        () => true,
        () => false,
      )
      block = Buffer.allocUnsafeSlow(0)
      filled = 0
      if (committed) return
      failure ??= new Error(`${queueId} was discarded`)
      giveUp.abort()
      await shipped
      await completing?.catch(() => {})
      const uploadId = await upload?.catch(() => undefined)
      await Promise.all([
        committing !== undefined || completing !== undefined ? client.send(new DeleteObjectCommand(object)) : undefined,
        uploadId !== undefined ? abort(uploadId) : undefined,
      ])
    },
  }

  async function abort(UploadId: string): Promise<void> {
    await client.send(new AbortMultipartUploadCommand({ ...object, UploadId })).catch(error => {
      // Completed after all, or aborted before.
      if (error.name !== 'NoSuchUpload') throw error
    })
  }
}
