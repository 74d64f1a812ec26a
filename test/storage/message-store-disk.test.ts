import { chmod, mkdir, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { mintQueueId } from '../../src/mail/queue-id.ts'
import type { Backends } from '../../src/storage/backends.ts'
import { acceptedEvent, acceptedMessage, octets, scanJob } from '../contract/home.ts'
import { listed, messageStoreContract, read, writeAll } from '../contract/message-store.ts'
import { embeddedHome } from './embedded-home.ts'

messageStoreContract(embeddedHome)

describe('message store on disk', () => {
  let home: Awaited<ReturnType<typeof embeddedHome>>
  let backends: Backends
  beforeEach(async () => {
    home = await embeddedHome()
    backends = await home.open()
  })
  afterEach(async () => {
    await backends.close()
    await home.dispose()
  })
  const reopen = async () => {
    await backends.close()
    backends = await home.open()
  }
  const accept = async (size: number) => {
    const queueId = mintQueueId(Date.now())
    const draft = backends.messages.draft(queueId)
    await writeAll(draft, octets(size))
    await draft.seal()
    await backends.together(
      () => draft.commit(),
      () => backends.records.create(acceptedMessage({ queueId, size }), acceptedEvent()),
    )
    return queueId
  }
  const filesInSpool = async () => {
    const entries = await readdir(`${home.dataDir}/spool`, { recursive: true, withFileTypes: true })
    return entries.filter(entry => entry.isFile()).map(entry => `${entry.parentPath}/${entry.name}`)
  }

  it('asks to wait while the disk is slower than the sender, and takes 25 MB in little memory', async () => {
    const chunk = octets(100_000)
    const queueId = mintQueueId(Date.now())
    const before = process.memoryUsage().arrayBuffers
    const draft = backends.messages.draft(queueId)
    let waits = 0
    let most = 0
    for (let n = 0; n < 250; n++) {
      const room = draft.write(chunk)
      if (room !== undefined) waits++
      await room
      most = Math.max(most, process.memoryUsage().arrayBuffers - before)
    }
    await draft.seal()
    await draft.commit()
    expect(waits).toBeGreaterThan(0)
    expect(most).toBeLessThan(8_000_000)
    const content = await backends.messages.open(queueId)
    let position = 0
    for await (const part of content.chunks()) {
      expect(part.length).toBeLessThanOrEqual(256 * 1024)
      for (let n = 0; n < part.length; n += 997) {
        if (part[n] !== chunk[(position + n) % chunk.length]) throw new Error(`wrong octet at ${position + n}`)
      }
      position += part.length
    }
    expect(position).toBe(25_000_000)
  })

  it('keeps mail from other users', async () => {
    await accept(200_000)
    const [file] = await filesInSpool()
    expect((await stat(file!)).mode & 0o777).toBe(0o600)
    expect((await stat(home.dataDir)).mode & 0o777).toBe(0o711)
    for (const path of ['/spool', '/spool/tmp']) {
      expect((await stat(home.dataDir + path)).mode & 0o777).toBe(0o700)
    }
    for (const path of ['elemta.sqlite', 'elemta.sqlite-wal', 'elemta.lock']) {
      expect((await stat(`${home.dataDir}/${path}`)).mode & 0o777, path).toBe(0o600)
    }
  })

  it('takes nothing but a queue id for a name', () => {
    for (const name of ['../../etc/passwd', '', 'x', '../../../../../../../../a']) {
      expect(() => backends.messages.draft(name)).toThrow(TypeError)
    }
  })

  it('leaves no file behind when a draft is discarded or its content removed', async () => {
    const draft = backends.messages.draft(mintQueueId(Date.now()))
    void draft.write(octets(3_000_000))?.catch(() => {})
    await draft.discard()
    const queueId = await accept(200_000)
    expect(await filesInSpool()).toHaveLength(1)
    await backends.messages.remove(queueId)
    expect(await filesInSpool()).toEqual([])
  })

  it('sweeps at the start what a crash left over, and nothing else', async () => {
    const kept = [await accept(200_000), await accept(2000)]
    const finished = [await accept(200_000), await accept(2000)]
    for (const queueId of finished) {
      await backends.records.note(queueId, [], [{ recipient: 'user@example.com', state: 'delivered' }])
    }
    const unfinished = backends.messages.draft(mintQueueId(Date.now()))
    await writeAll(unfinished, octets(400_000))
    const uncommitted = backends.messages.draft(mintQueueId(Date.now()))
    await writeAll(uncommitted, octets(200_000))
    await uncommitted.seal()
    await reopen()
    expect(await listed(backends.messages)).toEqual(kept.sort())
    expect(await filesInSpool()).toHaveLength(1)
    for (const queueId of kept) await read(backends.messages, queueId)
    await unfinished.discard()
  })

  it('refuses to pass off a file that was cut as the whole content', async () => {
    const queueId = await accept(600_000)
    const [file] = await filesInSpool()
    await truncate(file!, 300_000)
    await expect(read(backends.messages, queueId)).rejects.toThrow('300000 of 600000')
  })

  it('fails while receiving when the file cannot be written, keeps nothing, and goes on', async () => {
    const spoolTmp = `${home.dataDir}/spool/tmp`
    await rm(spoolTmp, { recursive: true })
    await writeFile(spoolTmp, 'in the way')
    const draft = backends.messages.draft(mintQueueId(Date.now()))
    await expect(
      (async () => {
        await writeAll(draft, octets(3_000_000))
        await draft.seal()
      })(),
    ).rejects.toThrow('ENOTDIR')
    await draft.discard()
    await rm(spoolTmp)
    await mkdir(spoolTmp)
    await chmod(spoolTmp, 0o700)
    await accept(200_000)
    await backends.scanJobs.enqueue(scanJob('a'))
  })
})
