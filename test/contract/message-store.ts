// The contract of the message store port: what every adapter must do, on top of nothing but the port.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { mintQueueId } from '../../src/mail/queue-id.ts'
import type { Backends } from '../../src/storage/backends.ts'
import { ContentMissingError, type Draft, type MessageStore } from '../../src/storage/message-store.ts'
import { acceptedEvent, acceptedMessage, type Home, type MakeHome, octets } from './home.ts'

/** Writes in chunks of `chunkSize`, waiting when asked to. */
export async function writeAll(draft: Draft, content: Buffer, chunkSize = 16_384): Promise<void> {
  for (let from = 0; from < content.length; from += chunkSize) {
    await draft.write(content.subarray(from, from + chunkSize))
  }
}

/** Stores a content with its record: one that no record names may be swept away. */
async function store({ messages, records }: Backends, content: Buffer): Promise<string> {
  const queueId = mintQueueId(Date.now())
  const draft = messages.draft(queueId)
  await writeAll(draft, content)
  await draft.seal()
  await draft.commit()
  await records.create(acceptedMessage({ queueId, size: content.length }), acceptedEvent())
  return queueId
}

export async function read(messages: MessageStore, queueId: string): Promise<Buffer> {
  const content = await messages.open(queueId)
  const chunks = []
  for await (const chunk of content.chunks()) chunks.push(chunk)
  const whole = Buffer.concat(chunks)
  expect(content.size).toBe(whole.length)
  return whole
}

export async function listed(messages: MessageStore): Promise<string[]> {
  const ids = []
  for await (const id of messages.list()) ids.push(id)
  return ids.sort()
}

const SIZES = [0, 1, 5_000, 65_535, 65_536, 65_537, 300_000, 3_000_000]

export function messageStoreContract(makeHome: MakeHome): void {
  describe('message store', () => {
    let home: Home
    let backends: Backends
    let messages: MessageStore
    const reopen = async () => {
      await backends?.close()
      backends = await home.open()
      messages = backends.messages
    }
    beforeEach(async () => {
      home = await makeHome()
      backends = await home.open()
      messages = backends.messages
    })
    afterEach(async () => {
      await backends.close()
      await home.dispose()
    })

    it('gives back the octets it was given, now, again, and after reopening', async () => {
      const stored = new Map<string, Buffer>()
      for (const size of SIZES) {
        const content = octets(size, size)
        stored.set(await store(backends, content), content)
      }
      for (const [queueId, content] of stored) {
        expect((await read(messages, queueId)).equals(content), `${content.length} octets`).toBe(true)
        expect((await read(messages, queueId)).equals(content), `${content.length} octets again`).toBe(true)
      }
      await reopen()
      for (const [queueId, content] of stored) {
        expect((await read(messages, queueId)).equals(content), `${content.length} octets reopened`).toBe(true)
      }
      expect(await listed(messages)).toEqual([...stored.keys()].sort())
    })

    it.each([1, 7, 1460, 70_000, 1_000_000])('does not care how the octets are cut (%i each)', async chunkSize => {
      const content = octets(chunkSize < 100 ? 70_000 : 1_500_000)
      const queueId = mintQueueId(Date.now())
      const draft = messages.draft(queueId)
      await writeAll(draft, content, chunkSize)
      expect(draft.size).toBe(content.length)
      await draft.seal()
      await draft.commit()
      expect((await read(messages, queueId)).equals(content)).toBe(true)
    })

    it('keeps drafts apart that are written at the same time', async () => {
      const contents = [90_000, 200, 700_000, 65_537].map((size, n) => octets(size, n + 1))
      const ids = await Promise.all(contents.map(content => store(backends, content)))
      for (const [n, queueId] of ids.entries()) {
        expect((await read(messages, queueId)).equals(contents[n]!)).toBe(true)
      }
    })

    it.each([0, 10, 65_536, 200_000])('shows the head of a draft of %i octets', async size => {
      const content = octets(size)
      const draft = messages.draft(mintQueueId(Date.now()))
      await writeAll(draft, content, 1000)
      const wanted = Math.min(size, 65_536)
      expect(draft.head.length).toBeGreaterThanOrEqual(wanted)
      expect(draft.head.equals(content.subarray(0, draft.head.length))).toBe(true)
      await draft.seal()
      expect(draft.head.equals(content.subarray(0, draft.head.length))).toBe(true)
      await draft.discard()
    })

    it.each([100, 200_000])('shows nothing of a draft of %i octets until it is committed', async size => {
      const queueId = mintQueueId(Date.now())
      const draft = messages.draft(queueId)
      await writeAll(draft, octets(size))
      await expect(messages.open(queueId)).rejects.toThrow(ContentMissingError)
      await draft.seal()
      await expect(messages.open(queueId)).rejects.toThrow(ContentMissingError)
      expect(await listed(messages)).toEqual([])
      await draft.commit()
      expect(await listed(messages)).toEqual([queueId])
    })

    it.each([100, 200_000])('forgets drafts of %i octets that nobody committed', async size => {
      const sealed = messages.draft(mintQueueId(Date.now()))
      await writeAll(sealed, octets(size))
      await sealed.seal()
      const unsealed = messages.draft(mintQueueId(Date.now()))
      await writeAll(unsealed, octets(size))
      await reopen()
      expect(await listed(messages)).toEqual([])
      await unsealed.discard()
    })

    it.each([100, 200_000])('discards a draft of %i octets at any time, and twice', async size => {
      const unwritten = messages.draft(mintQueueId(Date.now()))
      await unwritten.discard()
      const unsealed = messages.draft(mintQueueId(Date.now()))
      void unsealed.write(octets(size))
      await unsealed.discard()
      await unsealed.discard()
      const sealed = messages.draft(mintQueueId(Date.now()))
      await writeAll(sealed, octets(size))
      await sealed.seal()
      await sealed.discard()
      await sealed.discard()
      expect(await listed(messages)).toEqual([])
    })

    it.each([100, 200_000])('keeps a content of %i octets whose draft is discarded after the commit', async size => {
      const queueId = mintQueueId(Date.now())
      const draft = messages.draft(queueId)
      await writeAll(draft, octets(size))
      await draft.seal()
      await draft.commit()
      await draft.discard()
      expect((await read(messages, queueId)).length).toBe(size)
    })

    it('commits only what is sealed, and once', async () => {
      const draft = messages.draft(mintQueueId(Date.now()))
      await draft.write(octets(10))
      await expect((async () => draft.commit())()).rejects.toThrow()
      await draft.seal()
      await draft.commit()
      await expect((async () => draft.commit())()).rejects.toThrow()
    })

    it.each([100, 200_000])('removes a content of %i octets for good, also when it is not there', async size => {
      const queueId = await store(backends, octets(size))
      const other = await store(backends, octets(10))
      await messages.remove(queueId)
      await messages.remove(queueId)
      await expect(messages.open(queueId)).rejects.toThrow(ContentMissingError)
      await reopen()
      await expect(messages.open(queueId)).rejects.toThrow(ContentMissingError)
      expect(await listed(messages)).toEqual([other])
    })

    it('says so when a content is removed before it is read', async () => {
      const queueId = await store(backends, octets(200_000))
      const content = await messages.open(queueId)
      await messages.remove(queueId)
      await expect(content.chunks()[Symbol.asyncIterator]().next()).rejects.toThrow(ContentMissingError)
    })
  })
}
