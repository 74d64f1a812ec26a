import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openEmbedded, openEmbeddedReadOnly } from '../src/backends.ts'
import { mintQueueId } from '../src/mail/queue-id.ts'
import type { Backends } from '../src/storage/backends.ts'
import { SpoolError } from '../src/storage/spool-error.ts'
import { acceptedEvent, acceptedMessage, octets, scanJob } from './contract/home.ts'
import { listed, read, writeAll } from './contract/message-store.ts'
import { embeddedHome } from './storage/embedded-home.ts'

let home: Awaited<ReturnType<typeof embeddedHome>>
const opened: { close(): unknown }[] = []
beforeEach(async () => {
  home = await embeddedHome()
})
afterEach(async () => {
  for (const { close } of opened.splice(0).reverse()) await close()
  await home.dispose()
})

async function openHome(): Promise<Backends> {
  const backends = await home.open()
  opened.push(backends)
  return backends
}

async function openReadOnly() {
  const backends = await openEmbeddedReadOnly({ dataDir: home.dataDir, now: home.now })
  opened.push(backends)
  return backends
}

async function accept(backends: Backends, size = 2000, recipients = ['user@example.com']) {
  const queueId = mintQueueId(Date.now())
  const draft = backends.messages.draft(queueId)
  await writeAll(draft, octets(size))
  await draft.seal()
  await backends.together(
    () => draft.commit(),
    () => backends.records.create(acceptedMessage({ queueId, size, recipients }), acceptedEvent()),
    () => backends.scanJobs.enqueue({ ...scanJob(queueId, recipients), queueId }),
  )
  return queueId
}

/** The error of a start that must fail. */
async function startError(): Promise<SpoolError> {
  const outcome = await home.open().then(
    backends => {
      opened.push(backends)
      return undefined
    },
    error => error,
  )
  expect(outcome).toBeInstanceOf(SpoolError)
  return outcome
}

describe('owner of a data directory', () => {
  it('is one process; a second is told which directory it is', async () => {
    const owner = await openHome()
    const error = await startError()
    expect(error.message).toContain(home.dataDir)
    expect(error.message).toContain('another Elemta process')
    await accept(owner)
    await owner.close()
    expect((await (await openHome()).scanJobs.tally()).incoming.jobs).toBe(1)
  })

  it('is one process among several, and a dead one owns nothing', async () => {
    const script = `import { openEmbedded } from '${new URL('../src/backends.ts', import.meta.url)}'
      await openEmbedded({ dataDir: '${home.dataDir}', now: Date.now })
      console.log('open')`
    const owner = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      await once(owner.stdout, 'data')
      expect((await startError()).message).toContain('another Elemta process')
    } finally {
      owner.kill('SIGKILL')
      await once(owner, 'exit')
    }
    await openHome()
  })

  it('closes more than once without harm, and nothing works afterwards', async () => {
    const backends = await openHome()
    await Promise.all([backends.close(), backends.close()])
    await expect(backends.scanJobs.enqueue(scanJob('a'))).rejects.toThrow('closed')
  })

  it('finishes what was begun before it was closed', async () => {
    const backends = await openHome()
    const enqueued = Promise.all(['a', 'b'].map(id => backends.scanJobs.enqueue(scanJob(id))))
    await backends.close()
    await enqueued
    expect((await (await openHome()).scanJobs.tally()).incoming.jobs).toBe(2)
  })
})

describe('a spool that cannot be used', () => {
  const database = () => `${home.dataDir}/elemta.sqlite`
  const spoil = async (position: number) => {
    const file = await open(database(), 'r+')
    await file.write(Buffer.alloc(3000, 'spoilt '), 0, 3000, position)
    await file.close()
  }
  const fill = async () => {
    const backends = await home.open()
    for (let n = 0; n < 20; n++) await accept(backends, 20_000)
    await backends.close()
  }

  it.each([
    ['at its start', 0],
    ['in its middle', 200_000],
  ])('is a clear error when the database is damaged %s, and stays as it is', async (_where, position) => {
    await fill()
    await spoil(position)
    const before = await readFile(database())
    const error = await startError()
    expect(error.path).toBe(database())
    expect(error.message).toContain(database())
    expect(error.message).toMatch(/damaged.*Restore it from a backup, or move it aside/)
    expect((await readFile(database())).equals(before)).toBe(true)
    // The lock was given back: it is the same error again.
    expect((await startError()).message).toContain('damaged')
  })

  it('starts empty when the database is moved aside, and keeps the large contents for whoever restores it', async () => {
    const first = await openHome()
    const queueId = await accept(first, 200_000)
    await first.close()
    await rename(database(), `${database()}.aside`)
    const second = await openHome()
    expect(await listed(second.messages)).toEqual([])
    await second.close()
    const names = await readdir(home.dataDir, { recursive: true })
    expect(names.filter(name => name.endsWith(queueId))).toEqual([
      expect.stringMatching(/^spool-without-database-\d+\/./),
    ])
  })

  it('is refused when a newer version wrote it', async () => {
    await fill()
    const db = new DatabaseSync(database())
    db.exec('PRAGMA user_version = 99')
    db.close()
    expect((await startError()).message).toMatch(/newer version.*schema 99/)
  })

  it('is refused when it is somebody else’s database', async () => {
    await mkdir(home.dataDir)
    const db = new DatabaseSync(database())
    db.exec('CREATE TABLE recipes (name TEXT)')
    db.close()
    const before = await readFile(database())
    expect((await startError()).message).toContain('not a spool of Elemta')
    expect((await readFile(database())).equals(before)).toBe(true)
  })

  it('is refused when the data directory is a file', async () => {
    await writeFile(home.dataDir, '')
    expect((await startError()).message).toContain(home.dataDir)
  })

  it('is a clear error for a reader when there is none', async () => {
    const reading = openEmbeddedReadOnly({ dataDir: home.dataDir, now: home.now })
    await expect(reading).rejects.toThrow(/there is no spool here/)
    await expect(stat(home.dataDir)).rejects.toThrow('ENOENT')
  })

  it('starts after a crash that came before the first table', async () => {
    await mkdir(home.dataDir)
    await writeFile(database(), '')
    await accept(await openHome())
  })

  it('takes up what is still in the log of a process that was killed', async () => {
    const backends = await openHome()
    const queueId = await accept(backends)
    // As a copy taken while it runs: the log is not yet in the database.
    const copy = `${home.dataDir}/copy`
    await mkdir(copy)
    for (const name of ['elemta.sqlite', 'elemta.sqlite-wal']) {
      await copyFile(`${home.dataDir}/${name}`, `${copy}/${name}`)
    }
    const again = await openEmbedded({ dataDir: copy, now: home.now })
    opened.push(again)
    expect((await read(again.messages, queueId)).equals(octets(2000))).toBe(true)
    await again.close()
    await rm(copy, { recursive: true })
  })
})

describe('reading beside the owner', () => {
  it('sees what the owner has done, as it goes on', async () => {
    const owner = await openHome()
    const queueId = await accept(owner, 100_000)
    const reader = await openReadOnly()
    expect((await reader.records.get(queueId))?.message.queueId).toBe(queueId)
    expect((await reader.scanJobs.tally()).incoming).toEqual({ jobs: 1, recipients: 1 })
    expect((await reader.messages.open(queueId)).size).toBe(100_000)
    const later = await accept(owner)
    expect((await reader.records.find({ address: 'user@example.com', limit: 5 }))[0]?.message.queueId).toBe(later)
    expect(await reader.records.tallyDeferrals()).toEqual({ deferrals: 0, recipients: 0 })
    expect(await reader.deliveryJobs.tally()).toMatchObject({ incoming: { jobs: 0 } })
  })

  it('works when nobody owns the directory, and does not take it', async () => {
    const before = await openHome()
    const queueId = await accept(before)
    await before.close()
    const reader = await openReadOnly()
    expect((await reader.records.get(queueId))?.events).toHaveLength(1)
    await accept(await openHome())
    expect(await reader.records.tally()).toMatchObject({ accepted: 2 })
  })

  it('balances while mail comes in: reads made in one go see one state', async () => {
    const owner = await openHome()
    const reader = await openReadOnly()
    const pause = new Int32Array(new SharedArrayBuffer(4))
    for (const { records, scanJobs } of [owner, reader]) {
      const message = acceptedMessage({ queueId: mintQueueId(Date.now()) })
      const accepting = owner.together(
        () => owner.records.create(message, acceptedEvent()),
        () => owner.scanJobs.enqueue(scanJob(message.queueId)),
      )
      // The writer's thread has it now, and commits while this one stands still between the two reads.
      await new Promise(setImmediate)
      const record = records.tally()
      Atomics.wait(pause, 0, 0, 50)
      const jobs = scanJobs.tally()
      expect((await jobs).incoming.recipients).toBe((await record).accepted)
      await accepting
      expect((await scanJobs.tally()).incoming.recipients).toBe((await records.tally()).accepted)
    }
    expect((await owner.records.tally()).accepted).toBe(2)
  })
})
