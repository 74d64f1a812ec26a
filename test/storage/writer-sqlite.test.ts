import { rm } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openReader } from '../../src/storage/reader-sqlite.ts'
import { startWriter, type Writer } from '../../src/storage/writer-sqlite.ts'
import type { WriterThreadOptions } from '../../src/storage/writer-thread-sqlite.ts'
import { temporaryDirectory } from './embedded-home.ts'

let directory: string
let writer: Writer
const start = async (options: Partial<WriterThreadOptions> = {}) => {
  const path = `${directory}/test.sqlite`
  const db = new DatabaseSync(path)
  db.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (name TEXT PRIMARY KEY, data BLOB)')
  db.close()
  writer = await startWriter({ path, synchronous: 'FULL', ...options })
}
beforeEach(async () => {
  directory = await temporaryDirectory()
})
afterEach(async () => {
  await writer.close()
  await rm(directory, { recursive: true })
})

const add = (name: string, size = 0) => ({
  sql: 'INSERT INTO t VALUES (?, ?) RETURNING name',
  params: [name, new Uint8Array(size)],
})
const names = () => {
  const reader = openReader(`${directory}/test.sqlite`)
  const found = reader.all('SELECT name FROM t ORDER BY rowid').map(row => row.name)
  reader.close()
  return found
}

it('runs in the order given and returns rows', async () => {
  await start()
  const rows = await Promise.all([writer.run([add('a'), add('b')]), writer.run([add('c')], { durable: false })])
  expect(rows).toEqual([[[{ name: 'a' }], [{ name: 'b' }]], [[{ name: 'c' }]]])
  expect(names()).toEqual(['a', 'b', 'c'])
})

it('undoes a failed group and no other', async () => {
  await start()
  const results = await Promise.allSettled([
    writer.run([add('a')]),
    writer.run([add('b'), add('a')]),
    writer.run([add('a')]),
    writer.run([add('c'), { sql: 'NOT SQL', params: [] }]),
    writer.run([add('d')]),
  ])
  expect(results.map(result => result.status)).toEqual(['fulfilled', 'rejected', 'rejected', 'rejected', 'fulfilled'])
  expect(names()).toEqual(['a', 'd'])
})

it('says ENOSPC when there is no room, and works again when there is', async () => {
  await start({ maxPages: 60 })
  await writer.run([add('small', 1000)])
  await writer.run([add('large', 150_000)])
  const results = await Promise.allSettled([writer.run([add('b', 100_000)]), writer.run([add('c', 150_000), add('d')])])
  expect(results).toMatchObject([{ reason: { code: 'ENOSPC' } }, { reason: { code: 'ENOSPC' } }])
  expect(names()).toEqual(['small', 'large'])
  await writer.run([{ sql: 'DELETE FROM t WHERE name = ?', params: ['large'] }])
  await writer.run([add('b', 100_000)])
  expect(names()).toEqual(['small', 'b'])
})

it('runs nothing of a group whose making fails', async () => {
  await start()
  const results: Promise<unknown>[] = []
  expect(() =>
    writer.group(
      () => {
        results.push(writer.run([add('a')]))
        throw new Error('changed my mind')
      },
      { durable: true },
    ),
  ).toThrow('changed my mind')
  await expect(results[0]).rejects.toThrow('changed my mind')
  await writer.run([add('b')])
  expect(names()).toEqual(['b'])
})

it('finishes what it was given before it closes, and takes nothing more', async () => {
  await start()
  const adding = Promise.all(['a', 'b', 'c'].map(name => writer.run([add(name)])))
  await writer.close()
  await adding
  expect(names()).toEqual(['a', 'b', 'c'])
  await expect(writer.run([add('d')])).rejects.toThrow('closed')
})

it('does not start on a database that cannot be opened', async () => {
  await start()
  await expect(startWriter({ path: `${directory}/nowhere/test.sqlite`, synchronous: 'FULL' })).rejects.toThrow('open')
})
