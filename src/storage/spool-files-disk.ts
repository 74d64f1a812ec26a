// Where the files of the embedded home are: `elemta.sqlite` and `elemta.lock` in the data directory,
// `spool/tmp/<queue id>` for contents that are being received, `spool/<last character>/<queue id>` for large ones
// that were. Directories are on stable storage before the first file needs them; only their owner may look in.
import { existsSync } from 'node:fs'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { isQueueId } from '../mail/queue-id.ts'
import { syncDirectory } from './content-file-disk.ts'
import type { SpoolFiles } from './message-store-disk.ts'

/** One directory for each last character of a queue id, so that none grows large. */
const SHARDS = [...'0123456789ABCDEFGHJKMNPQRSTVWXYZ']

export function databasePath(dataDir: string): string {
  return `${dataDir}/elemta.sqlite`
}

export function spoolFiles(dataDir: string): SpoolFiles {
  return {
    temporaryPath: queueId => `${dataDir}/spool/tmp/${queueId}`,
    path: queueId => `${dataDir}/spool/${queueId.at(-1)}/${queueId}`,
  }
}

/** Others may pass through, to the scanners' directories beside the spool, but not look: what is ours is closed itself. */
const PASSABLE = 0o711

/** Makes the data directory with its parents; one that is there keeps its mode. */
export async function makeDataDirectory(dataDir: string): Promise<void> {
  const first = await mkdir(dataDir, { recursive: true, mode: PASSABLE })
  if (first === undefined) return
  // Every new directory is a name in its parent.
  for (let made = resolve(dataDir); made.length >= resolve(first).length; made = dirname(made)) {
    await syncDirectory(dirname(made))
  }
}

/** Makes what is missing of the spool's directories and empties the one for contents being received. */
export async function prepareSpool(dataDir: string): Promise<void> {
  const spool = `${dataDir}/spool`
  await rm(`${spool}/tmp`, { recursive: true, force: true })
  for (const name of ['tmp', ...SHARDS]) await mkdir(`${spool}/${name}`, { recursive: true, mode: 0o700 })
  await syncDirectory(spool)
  await syncDirectory(dataDir)
}

/** Keeps the files of a spool whose database is gone from being swept; returns where they are, if there are any. */
export async function setFilesAside(dataDir: string, now: number): Promise<string | undefined> {
  if (!existsSync(`${dataDir}/spool`)) return undefined
  const { done } = await sealedFiles(dataDir).next()
  if (done) return undefined
  const aside = `${dataDir}/spool-without-database-${now}`
  await rename(`${dataDir}/spool`, aside)
  return aside
}

/** Queue ids of the large contents that are whole, whether or not anything speaks of them. */
export async function* sealedFiles(dataDir: string): AsyncGenerator<string, undefined> {
  for (const shard of SHARDS) {
    const names = await readdir(`${dataDir}/spool/${shard}`).catch(() => [])
    yield* names.filter(isQueueId)
  }
}
