// Checksums of contents in the bucket: SHA-256, checked by S3 when it takes an object and by us when we read it.
// One PUT: over all octets, kept in the object's metadata. An upload in parts: over the checksums of the parts, which S3
// makes itself and tells in the form `base64-parts`. Where the service tells none, the size is all that is checked.
import { createHash, type Hash } from 'node:crypto'

/** Keys of the metadata of an object: hexadecimal; octets of each part but the last. */
export const SHA256_KEY = 'sha256'
export const PART_SIZE_KEY = 'part-size'

export function sha256(octets: Uint8Array): Buffer {
  return createHash('sha256').update(octets).digest()
}

/** What is known of an object's octets before they are read. */
export type Expected = Readonly<{
  queueId: string
  /** Octets. */
  size: number
  sha256?: string | undefined
  /** Octets of each part but the last, of an upload in parts. */
  partSize?: number | undefined
  /** As S3 tells it of an upload in parts. */
  composite?: string | undefined
}>

export type Verifier = Readonly<{
  take(chunk: Buffer): void
  /** Throws when what was taken is not what was stored. */
  end(): void
}>

export function createVerifier({ queueId, size, sha256, partSize, composite }: Expected): Verifier {
  let taken = 0
  const whole = sha256 === undefined ? undefined : createHash('sha256')
  const digests = composite === undefined ? undefined : createHash('sha256')
  let part: Hash | undefined
  let parts = 0

  function takeParts(chunk: Buffer) {
    for (let from = 0; from < chunk.length; ) {
      part ??= createHash('sha256')
      const piece = chunk.subarray(from, from + partSize! - ((taken + from) % partSize!))
      part.update(piece)
      from += piece.length
      if ((taken + from) % partSize! === 0) endPart()
    }
  }

  function endPart() {
    if (part === undefined) return
    digests?.update(part.digest())
    part = undefined
    parts++
  }

  return {
    take(chunk) {
      whole?.update(chunk)
      if (digests !== undefined && partSize !== undefined) takeParts(chunk)
      taken += chunk.length
    },
    end() {
      if (taken !== size) throw new Error(`the content of ${queueId} ends after ${taken} of ${size} octets`)
      endPart()
      const right =
        (whole === undefined || whole.digest('hex') === sha256) &&
        (digests === undefined || partSize === undefined || `${digests.digest('base64')}-${parts}` === composite)
      if (!right) throw new Error(`the content of ${queueId} is not what was stored: its checksum is wrong`)
    },
  }
}
