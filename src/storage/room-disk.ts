// Room on the disk. New contents are refused while there is still enough left to finish what is here: without it the
// log of the database could not be brought in, and nothing could be delivered to make room again.
import { statfs } from 'node:fs/promises'
import type { Reader } from './reader-sqlite.ts'

/** Room is looked up at most this often, in milliseconds. */
const INTERVAL = 100

/** Rejects with code ENOSPC when a new content of so many octets would eat into the reserve. */
export type CheckRoom = (size: number, place: 'file' | 'database') => Promise<void>

/** `reserve` is in octets: more than the database's log grows to between two checkpoints. */
export function createRoomCheck(directory: string, reserve: number, reader: Reader): CheckRoom {
  let lookedAt = Number.NEGATIVE_INFINITY
  let looking: Promise<void> | undefined
  let onDisk = 0
  let insideDatabase = 0
  let takenSince = 0

  async function look() {
    const { bavail, bsize } = await statfs(directory)
    onDisk = bavail * bsize
    // The database keeps the pages of what was removed, for what comes next.
    const pages = Number(reader.get('PRAGMA freelist_count')?.freelist_count)
    insideDatabase = pages * Number(reader.get('PRAGMA page_size')?.page_size)
    takenSince = 0
    lookedAt = performance.now()
  }

  return async (size, place) => {
    if (performance.now() - lookedAt > INTERVAL) {
      looking ??= look().finally(() => {
        looking = undefined
      })
      await looking
    }
    const room = (place === 'file' ? onDisk : onDisk + insideDatabase) - takenSince
    if (room < reserve) {
      const message = `${directory}: ${room} octets of room left, fewer than the reserve of ${reserve}`
      throw Object.assign(new Error(message), { code: 'ENOSPC' })
    }
    // What is in the database was in its log before.
    takenSince += place === 'file' ? size : 2 * size
  }
}
