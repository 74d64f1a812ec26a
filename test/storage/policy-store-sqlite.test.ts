import { execFile } from 'node:child_process'
import { chmod, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Writable } from 'node:stream'
import { promisify } from 'node:util'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openPolicyStore } from '../../src/backends.ts'
import { policyStoreContract } from '../contract/policy-store.ts'
import { temporaryDirectory } from './embedded-home.ts'

policyStoreContract(async () => {
  const directory = await temporaryDirectory()
  return {
    open: () => openPolicyStore({ dataDir: join(directory, 'data') }),
    dispose: () => rm(directory, { recursive: true }),
  }
})

describe('policy.db', () => {
  let dataDir: string
  beforeEach(async () => {
    dataDir = await temporaryDirectory()
  })
  afterEach(() => rm(dataDir, { recursive: true }))
  const path = () => join(dataDir, 'policy.db')
  const entry = () => ({ value: { n: 1 }, expiresAt: 1 })

  function recordingLog() {
    const lines: Record<string, unknown>[] = []
    const sink = new Writable({
      write(chunk, _, done) {
        lines.push(JSON.parse(String(chunk)))
        done()
      },
    })
    return { log: pino({ messageKey: 'event', base: null }, sink), lines }
  }

  it('is for its owner only, and so is what is beside it', async () => {
    await chmod(dataDir, 0o755)
    const store = await openPolicyStore({ dataDir })
    await store.update('space', 'key', 0, entry)
    const modes = await Promise.all(
      (await readdir(dataDir)).map(async name => [name, (await stat(join(dataDir, name))).mode & 0o777]),
    )
    expect(Object.fromEntries(modes)).toEqual({ 'policy.db': 0o600, 'policy.db-shm': 0o600, 'policy.db-wal': 0o600 })
    await store.close()
    expect(await readdir(dataDir)).toEqual(['policy.db'])
  })

  it('loses no change of two processes that make it and work on it at the same time', async () => {
    const program = join(import.meta.dirname, 'policy-count-up.ts')
    const run = () => promisify(execFile)(process.execPath, [program, dataDir, '200'])
    await Promise.all([run(), run()])
    const store = await openPolicyStore({ dataDir })
    expect((await store.get('space', 'key', 0))?.value).toEqual({ n: 400 })
    await store.close()
  })

  it.each<[string, () => Promise<unknown>]>([
    ['is no database', () => writeFile(path(), 'this is no database, whatever its name says'.repeat(100))],
    ['has damaged pages', () => overwrite(path(), 4096)],
    ['was written by another version', () => execute(path(), 'PRAGMA user_version = 99')],
    ['lacks a table', () => execute(path(), 'DROP TABLE totals')],
  ])('is set aside with a warning, and begun anew, when it %s', async (_, damage) => {
    const before = await openPolicyStore({ dataDir })
    for (let n = 0; n < 500; n++) await before.update('space', `key ${n}`, 0, entry)
    await before.close()
    await damage()
    const damaged = await readFile(path())

    const { log, lines } = recordingLog()
    const store = await openPolicyStore({ dataDir, log, now: () => 42 })
    expect(await store.count('space', 0)).toBe(0)
    await store.update('space', 'key', 0, entry)
    await store.close()
    const aside = join(dataDir, 'policy-damaged-42.db')
    expect(lines).toMatchObject([{ event: 'policy-database-set-aside', path: aside, why: expect.any(String) }])
    expect(await readFile(aside)).toEqual(damaged)

    const again = await openPolicyStore({ dataDir })
    expect(await again.count('space', 0)).toBe(1)
    await again.close()
  })

  it('does not play the log of a database that is gone into the new one', async () => {
    const store = await openPolicyStore({ dataDir })
    await store.update('space', 'key', 0, entry)
    const log = await readFile(`${path()}-wal`)
    await store.close()
    await rm(path())
    await writeFile(`${path()}-wal`, log)
    const anew = await openPolicyStore({ dataDir })
    expect(await anew.count('space', 0)).toBe(0)
    await anew.close()
  })

  it('fails, and does not hang, once it is closed', async () => {
    const store = await openPolicyStore({ dataDir })
    await store.close()
    await expect(store.update('space', 'key', 0, entry)).rejects.toThrow()
    await expect(store.get('space', 'key', 0)).rejects.toThrow()
  })
})

function execute(path: string, sql: string): Promise<void> {
  const db = new DatabaseSync(path)
  db.exec(sql)
  db.close()
  return Promise.resolve()
}

async function overwrite(path: string, from: number): Promise<void> {
  const octets = await readFile(path)
  octets.fill(0x5a, from, octets.length - 100)
  await writeFile(path, octets)
}
