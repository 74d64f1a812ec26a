// Contents up to 64 KiB live in the spool's database, in the same commit as record and job: one sync for all three.
// Larger ones are written to a file while they come in; `commit` adds the row that makes the file count.
// A file without a row is nothing: `open` does not see it and the next start sweeps it away.
import { open } from 'node:fs/promises'
import { isQueueId } from '../mail/queue-id.ts'
import { type ContentFile, createContentFile, removeFile } from './content-file-disk.ts'
import { type Content, ContentMissingError, type Draft, type MessageStore } from './message-store.ts'
import type { Reader } from './reader-sqlite.ts'
import type { CheckRoom } from './room-disk.ts'
import type { Writer } from './writer-sqlite.ts'
import type { SqlValue } from './writer-thread-sqlite.ts'

/** Up to this size a content is a row; the head that a draft keeps is as long. */
const INLINE_LIMIT = 64 * 1024
const MOST_PIECES = 32
const READ_CHUNK = 256 * 1024
const LIST_PAGE = 1000

const ADD = 'INSERT INTO contents (queue_id, size, data) VALUES (?, ?, ?)'
const REMOVE = 'DELETE FROM contents WHERE queue_id = ? RETURNING data IS NULL AND size > 0 AS in_file'

export type ContentReader = Pick<MessageStore, 'open' | 'list'>

/** Where the files are: `tmp` holds those that are being received. */
export type SpoolFiles = Readonly<{ temporaryPath(queueId: string): string; path(queueId: string): string }>

type Parts = { writer: Writer; reader: Reader; files: SpoolFiles; checkRoom: CheckRoom }

export function createDiskMessageStore({ writer, reader, files, checkRoom }: Parts): MessageStore {
  return {
    ...createContentReader({ reader, files }),

    draft(queueId) {
      // An id becomes a path here.
      if (!isQueueId(queueId)) throw new TypeError(`not a queue id: ${queueId}`)
      return createDraft(queueId, { writer, files, checkRoom })
    },

    async hasRoom() {
      try {
        await checkRoom(0, 'database')
        return true
      } catch (error) {
        if ((error as { code?: string }).code === 'ENOSPC') return false
        throw error
      }
    },

    async remove(queueId) {
      const [rows = []] = await writer.run([{ sql: REMOVE, params: [queueId] }])
      if (rows[0]?.in_file !== 1) return
      // As part of a write that is not durable the row may come back, and needs its file: so it is synced first. When
      // that fails the next start sees to the file.
      const isSafe = await writer.run([]).then(
        () => true,
        () => false,
      )
      if (isSafe) await removeFile(files.path(queueId))
    },
  }
}

/** The reading half, which needs no writer. */
export function createContentReader({ reader, files }: Pick<Parts, 'reader' | 'files'>): ContentReader {
  return {
    async open(queueId) {
      const row = reader.get('SELECT size, data FROM contents WHERE queue_id = ?', queueId)
      if (row === undefined) throw new ContentMissingError(queueId)
      const size = Number(row.size)
      if (row.data instanceof Uint8Array) return inlineContent(row.data)
      if (size === 0) return inlineContent(new Uint8Array())
      return { size, chunks: () => readFile(queueId, files.path(queueId), size) }
    },

    async *list() {
      let last = ''
      for (;;) {
        const sql = 'SELECT queue_id FROM contents WHERE queue_id > ? ORDER BY queue_id LIMIT ?'
        const page = reader.all(sql, last, LIST_PAGE).map(row => String(row.queue_id))
        yield* page
        if (page.length < LIST_PAGE) return
        last = page.at(-1)!
      }
    },
  }
}

function inlineContent(data: Uint8Array): Content {
  const octets = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  return {
    size: octets.length,
    async *chunks() {
      if (octets.length > 0) yield octets
    },
  }
}

async function* readFile(queueId: string, path: string, size: number): AsyncGenerator<Buffer> {
  const file = await open(path, 'r').catch(error => {
    throw error.code === 'ENOENT' ? new ContentMissingError(queueId) : error
  })
  try {
    let position = 0
    while (position < size) {
      // A fresh buffer each time: whoever got the last one may still be sending it.
      const chunk = Buffer.allocUnsafeSlow(Math.min(READ_CHUNK, size - position))
      const { bytesRead } = await file.read(chunk, 0, chunk.length, position)
      if (bytesRead === 0) throw new Error(`the content of ${queueId} ends after ${position} of ${size} octets`)
      position += bytesRead
      yield chunk.subarray(0, bytesRead)
    }
  } finally {
    await file.close()
  }
}

function createDraft(queueId: string, { writer, files, checkRoom }: Omit<Parts, 'reader'>): Draft {
  /** The first octets, as they came; one piece once somebody has asked for them. */
  let start: Buffer[] = []
  let size = 0
  let file: ContentFile | undefined
  let stage: 'receiving' | 'sealed' | 'discarded' = 'receiving'
  let adding: Promise<unknown> | undefined
  let leaveToSweep = false

  const startLength = () => Math.min(size, INLINE_LIMIT)

  function appendToStart(chunk: Buffer) {
    start.push(chunk)
    // Crumbs cost more than they hold.
    if (start.length > MOST_PIECES) start = [Buffer.concat(start)]
  }

  function head(): Buffer {
    if (start.length !== 1) start = [Buffer.concat(start)]
    return start[0]!
  }

  async function addRow() {
    const data: SqlValue = file === undefined ? head() : null
    try {
      await writer.run([{ sql: ADD, params: [queueId, size, data] }])
    } catch (error) {
      // After an I/O error nobody knows what is on disk: should the row be there after a crash, so must the file.
      leaveToSweep = (error as { code?: string }).code === 'EIO'
      throw error
    }
  }

  return {
    get size() {
      return size
    },
    get head() {
      return head()
    },

    write(chunk) {
      if (stage === 'discarded') return undefined
      if (stage === 'sealed') throw new Error(`${queueId} is sealed`)
      const before = startLength()
      if (before < INLINE_LIMIT) appendToStart(chunk.subarray(0, INLINE_LIMIT - before))
      size += chunk.length
      if (size <= INLINE_LIMIT) return undefined
      if (file === undefined) {
        file = createContentFile(files.temporaryPath(queueId), files.path(queueId))
        void file.write(head().subarray(0, before))
      }
      return file.write(chunk)
    },

    async seal() {
      if (stage === 'discarded') throw new Error(`${queueId} was discarded`)
      stage = 'sealed'
      await checkRoom(size, file === undefined ? 'database' : 'file')
      await file?.seal()
    },

    content() {
      if (stage !== 'sealed') throw new Error(`${queueId} cannot be read: it is ${stage}`)
      if (file === undefined) return inlineContent(head())
      return { size, chunks: () => readFile(queueId, files.path(queueId), size) }
    },

    // Not async: what is wrong with the call itself must keep `together` from writing the rest.
    commit() {
      if (stage !== 'sealed') throw new Error(`${queueId} cannot be committed: it is ${stage}`)
      if (adding !== undefined) throw new Error(`${queueId} was committed before`)
      const added = addRow()
      adding = added
      return added
    },

    async discard() {
      stage = 'discarded'
      const committed = await adding?.then(
        () => true,
        () => false,
      )
      start = []
      if (committed || leaveToSweep) return
      await file?.discard()
    },
  }
}
