// A large content on its way into a file: collected in blocks, written one after the other off the event loop, given
// its final name only when every octet is on stable storage. So a file under a final name is always whole.
// Memory: the block being filled, the one being written and what `write` was not asked to wait for.
import { constants } from 'node:fs'
import { type FileHandle, open, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'

const BLOCK = 256 * 1024
/** Unwritten octets above which the caller is asked to wait, and below which it may go on. */
const HIGH_WATER = 1024 * 1024
const LOW_WATER = 512 * 1024

export type ContentFile = Readonly<{
  /** Copies the octets. A returned promise asks the caller to wait; it rejects when the file cannot be written. */
  write(chunk: Uint8Array): Promise<void> | undefined
  /** Resolves when octets and name are on stable storage. */
  seal(): Promise<void>
  /** Removes the file under either name. What cannot be removed is left to the next start; never rejects. */
  discard(): Promise<void>
}>

/** Starts a file at `temporaryPath`; `seal` moves it to `path`. Errors appear at the next `write` or at `seal`. */
export function createContentFile(temporaryPath: string, path: string): ContentFile {
  let block = Buffer.allocUnsafeSlow(BLOCK)
  let filled = 0
  let full: Buffer<ArrayBuffer>[] = []
  /** Blocks that are written, to be filled again: a large content leaves no garbage. */
  const free: Buffer<ArrayBuffer>[] = []
  let unwritten = 0
  let file: FileHandle | undefined
  let failure: Error | undefined
  let writing: Promise<void> | undefined
  let room: PromiseWithResolvers<void> | undefined
  let sealing: Promise<void> | undefined

  async function writeBlocks() {
    try {
      file ??= await open(temporaryPath, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600)
      for (let next = full.shift(); next !== undefined; next = full.shift()) {
        await file.writeFile(next)
        unwritten -= next.length
        if (next.length === BLOCK) free.push(next)
        if (unwritten <= LOW_WATER) releaseCaller()
        if (failure !== undefined) break
      }
    } catch (error) {
      failure ??= error as Error
    }
    writing = undefined
    releaseCaller()
  }

  function releaseCaller() {
    if (failure === undefined) room?.resolve()
    else room?.reject(failure)
    room = undefined
  }

  function pushBlock() {
    full.push(filled === BLOCK ? block : block.subarray(0, filled))
    filled = 0
    writing ??= writeBlocks()
  }

  async function settle() {
    while (writing !== undefined) await writing
    if (failure !== undefined) throw failure
  }

  async function finish() {
    if (filled > 0) pushBlock()
    await settle()
    if (file === undefined) throw new Error('an empty content needs no file')
    await file.datasync()
    await file.close()
    file = undefined
    await rename(temporaryPath, path)
    await syncDirectory(dirname(path))
  }

  return {
    write(chunk) {
      if (failure !== undefined) return Promise.reject(failure)
      unwritten += chunk.length
      for (let taken = 0; taken < chunk.length; ) {
        const part = chunk.subarray(taken, taken + BLOCK - filled)
        block.set(part, filled)
        filled += part.length
        taken += part.length
        if (filled === BLOCK) {
          pushBlock()
          block = free.pop() ?? Buffer.allocUnsafeSlow(BLOCK)
        }
      }
      if (unwritten <= HIGH_WATER) return undefined
      room ??= Promise.withResolvers()
      return room.promise
    },

    seal() {
      sealing ??= finish()
      return sealing
    },

    async discard() {
      failure ??= new Error('the content was discarded')
      full = []
      await sealing?.catch(() => {})
      await settle().catch(() => {})
      await file?.close().catch(() => {})
      file = undefined
      await Promise.allSettled([removeFile(temporaryPath), removeFile(path)])
    },
  }
}

/** Brings the names in a directory to stable storage. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/** Removing what is not there is fine. */
export async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}
