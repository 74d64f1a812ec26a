// Keeps a directory of ClamAV's signatures and the bucket alike. `pull` and `push` do it once; `follow` pulls again and
// again, beside a clamd that looks at its directory itself; `check` is its health: a first pull has been tried. A pull that
// fails is told and tried again: clamd goes on with what it has, and the age of signatures is watched elsewhere.
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { S3Client } from '@aws-sdk/client-s3'
import { environment } from '../../src/platform/environment.ts'
import { createLog } from '../../src/platform/log.ts'
import { pullSignatures, pushSignatures } from './signature-store-s3.ts'

/** Seconds between two looks at the bucket, unless SIGNATURES_INTERVAL says otherwise. */
const INTERVAL = 600
/** Below the directory: there once the first pull has been tried. */
const TRIED = '.pulled'

const { SIGNATURES_DIRECTORY: directory = '/var/lib/clamav', ELEMTA_BUCKET: bucket = '' } = environment
const interval = Number(environment.SIGNATURES_INTERVAL ?? INTERVAL) * 1000
const log = createLog()

async function follow(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await move('pull').catch((error: unknown) => log.warn({ why: String(error) }, 'signatures-failed'))
    writeFileSync(join(directory, TRIED), '')
    await wait(interval, undefined, { signal }).catch(() => undefined)
  }
}

async function move(action: 'pull' | 'push'): Promise<void> {
  const client = new S3Client({ forcePathStyle: environment.AWS_ENDPOINT_URL !== undefined })
  const files = await (action === 'pull' ? pullSignatures : pushSignatures)({ client, bucket, directory })
  client.destroy()
  if (files.length > 0) log.info({ action, files }, 'signatures-moved')
}

const [action] = process.argv.slice(2)
switch (action) {
  case 'pull':
  case 'push':
    await move(action)
    break
  case 'follow': {
    const stopped = new AbortController()
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopped.abort())
    await follow(stopped.signal)
    break
  }
  case 'check':
    process.exitCode = existsSync(join(directory, TRIED)) ? 0 : 1
    break
  default:
    console.error('expected pull, push, follow or check')
    process.exitCode = 64
}
