// The mark of a release from quarantine: that it was us who let this recipient have this message, for a day and no
// longer. Whoever can write jobs, but does not have the key, lets nothing out. Pure. It is used up with its job: for a
// recipient that has come to an end a job changes nothing.
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Release, ScanJob } from './job.ts'

/** Milliseconds that a release may wait for the scanners. */
export const RELEASE_LIFETIME = 24 * 3_600_000

type Subject = Readonly<{ queueId: string; recipients: readonly string[] }>

/** `at` in milliseconds since 1970. */
export function signRelease(key: Buffer, subject: Subject, by: string, at: number): Release {
  return { by, at, signature: signatureOf(key, subject, by, at).toString('base64url') }
}

/** Why a job's release does not count; undefined when it does. */
export function releaseFault(key: Buffer, job: ScanJob & { release: Release }, now: number): string | undefined {
  const { by, at, signature } = job.release
  const expected = signatureOf(key, job, by, at)
  const given = Buffer.from(signature, 'base64url')
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return 'the release is not signed by us'
  if (now - at > RELEASE_LIFETIME) return 'the release has expired'
  return undefined
}

function signatureOf(key: Buffer, { queueId, recipients }: Subject, by: string, at: number): Buffer {
  return createHmac('sha256', key)
    .update(JSON.stringify([queueId, [...recipients].toSorted(), by, at]))
    .digest()
}
