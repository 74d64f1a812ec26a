// Signature databases in the bucket: what one task fetched from ClamAV's servers, all scanners load. A file is replaced in
// one step on either side, so that nobody ever sees half of one. Rejects with the SDK's error; what was done stays done.
import { createWriteStream } from 'node:fs'
import { readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { MAIL_BUCKET } from '../../src/storage/aws-schema.ts'

/**
 * Whatever clamd loads: ClamAV's own (main.cvd, daily.cld, bytecode.cvd), a site's own in any of its forms, and
 * freshclam.dat (its identity: ClamAV's servers limit those who have none).
 */
const SIGNATURES =
  /^(\w[\w.-]*\.(cvd|cld|cud|cbc|cdb|cat|crb|fp|ftm|[gpw]db|h[ds]b|h[ds]u|idb|ign2?|info|ldb|ldu|m[ds]b|m[ds]u|ndb|ndu|pwdb|sfp|yara?)|freshclam\.dat)$/

const PREFIX = MAIL_BUCKET.prefixes.signatures

export type SignatureStoreOptions = Readonly<{ client: S3Client; bucket: string; directory: string }>

/** Brings the directory to what the bucket has; returns the names of the files that are new. Files of before stay. */
export async function pullSignatures({ client, bucket, directory }: SignatureStoreOptions): Promise<readonly string[]> {
  const brought: string[] = []
  for (const { name, size, modified } of await listStored(client, bucket)) {
    const path = join(directory, name)
    const here = await stat(path).catch(() => undefined)
    if (here !== undefined && here.size === size && here.mtimeMs === modified.getTime()) continue
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: PREFIX + name }))
    const partial = join(directory, `.${name}.part`)
    await pipeline(Body as Readable, createWriteStream(partial))
    await utimes(partial, modified, modified)
    await rename(partial, path)
    await removeOtherForm(directory, name)
    brought.push(name)
  }
  return brought
}

/** Puts what is newer in the directory than in the bucket there; returns the names. */
export async function pushSignatures({ client, bucket, directory }: SignatureStoreOptions): Promise<readonly string[]> {
  const stored = new Map((await listStored(client, bucket)).map(entry => [entry.name, entry]))
  const put: string[] = []
  for (const name of (await readdir(directory)).filter(name => SIGNATURES.test(name))) {
    const path = join(directory, name)
    const { size, mtimeMs } = await stat(path)
    const there = stored.get(name)
    if (there !== undefined && there.size === size && there.modified.getTime() >= mtimeMs) continue
    // Whole, not as a stream: the SDK tries again only what it has. Some 200 MB, in a task that freshclam needs more for.
    const Body = await readFile(path)
    await client.send(new PutObjectCommand({ Bucket: bucket, Key: PREFIX + name, Body }))
    put.push(name)
  }
  return put
}

type Stored = Readonly<{ name: string; size: number; modified: Date }>

async function listStored(client: S3Client, bucket: string): Promise<readonly Stored[]> {
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: PREFIX }))
  const found = Contents.map(({ Key = '', Size = 0, LastModified = new Date(0) }) => ({
    name: Key.slice(PREFIX.length),
    size: Size,
    modified: LastModified,
  }))
  // Of daily.cvd and daily.cld, only the newer one counts: freshclam turns one into the other.
  return found
    .filter(({ name }) => SIGNATURES.test(name))
    .filter(one => !found.some(other => other.name === otherForm(one.name) && other.modified > one.modified))
}

function otherForm(name: string): string | undefined {
  if (name.endsWith('.cvd')) return name.replace(/cvd$/, 'cld')
  return name.endsWith('.cld') ? name.replace(/cld$/, 'cvd') : undefined
}

async function removeOtherForm(directory: string, name: string): Promise<void> {
  const other = otherForm(name)
  if (other !== undefined) await rm(join(directory, other), { force: true })
}
