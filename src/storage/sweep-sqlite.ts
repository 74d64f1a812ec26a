// What a start throws away: large contents that no row speaks of (a crash between `seal` and `commit`), and contents
// without a record or whose recipients have all come to an end (a crash before the content was removed).
// Run before anything is accepted, so that nothing is in the making.
import { removeFile } from './content-file-disk.ts'
import type { MessageStore } from './message-store.ts'
import type { Reader } from './reader-sqlite.ts'
import { OPEN } from './schema-sqlite.ts'
import { sealedFiles, spoolFiles } from './spool-files-disk.ts'

const FINISHED = `SELECT queue_id FROM contents
  WHERE NOT EXISTS (SELECT 1 FROM recipients WHERE recipients.queue_id = contents.queue_id AND ${OPEN})`

export type Swept = Readonly<{ files: number; contents: number }>

export async function sweep(dataDir: string, messages: MessageStore, reader: Reader): Promise<Swept> {
  const finished = reader.all(FINISHED).map(row => String(row.queue_id))
  await Promise.all(finished.map(queueId => messages.remove(queueId)))
  let files = 0
  for await (const queueId of sealedFiles(dataDir)) {
    if (reader.get('SELECT 1 FROM contents WHERE queue_id = ?', queueId) !== undefined) continue
    await removeFile(spoolFiles(dataDir).path(queueId))
    files++
  }
  return { files, contents: finished.length }
}
