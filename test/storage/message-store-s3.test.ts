import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { mintQueueId } from '../../src/mail/queue-id.ts'
import { sha256 } from '../../src/storage/content-checksum-s3.ts'
import { ContentMissingError } from '../../src/storage/message-store.ts'
import { createS3MessageStore, type S3MessageStore } from '../../src/storage/message-store-s3.ts'
import { octets } from '../contract/home.ts'
import { listed, read, writeAll } from '../contract/message-store.ts'
import { type Fate, type Front, startFront } from './http-front.ts'
import { awsEndpoint, newBucket, s3Client } from './s3.ts'

const PART = 5 * 1024 * 1024

describe('message store in S3', () => {
  let front: Front
  let client: S3Client
  let bucket: string
  let messages: S3MessageStore
  beforeAll(async () => {
    front = await startFront(await awsEndpoint())
    client = s3Client(front.endpoint)
  })
  afterAll(async () => {
    client.destroy()
    await front.close()
  })
  beforeEach(async () => {
    front.decide(() => 'pass')
    bucket = await newBucket(client)
    messages = createS3MessageStore({ client, bucket })
    front.requests.length = 0
  })
  afterEach(() => {
    front.decide(() => 'pass')
  })

  async function sealed(content: Buffer, queueId = mintQueueId(Date.now())) {
    const draft = messages.draft(queueId)
    await writeAll(draft, content, 65_536)
    await draft.seal()
    return { queueId, draft }
  }
  const asked = () => front.requests.map(({ method, path }) => `${method} ${path.replace(/^\/[^/?]*/, '')}`)

  it('stores a small message by one request and opens it by one', async () => {
    const content = octets(75_000)
    const { queueId, draft } = await sealed(content)
    expect(asked()).toEqual([])
    await draft.commit()
    expect((await read(messages, queueId)).equals(content)).toBe(true)
    expect(asked().map(line => line.split('?')[0])).toEqual([`PUT /incoming/${queueId}`, `GET /incoming/${queueId}`])
  })

  it.each([PART, PART + 1, 2 * PART])('gives back %i octets', async size => {
    const content = octets(size)
    const { queueId, draft } = await sealed(content)
    expect(await listed(messages)).toEqual([])
    await draft.commit()
    expect((await read(messages, queueId)).equals(content)).toBe(true)
    expect((await read(messages, queueId)).equals(content)).toBe(true)
    expect(await listed(messages)).toEqual([queueId])
  })

  it('sends a large message on while it comes in, and asks to wait for the part before', async () => {
    const part = octets(PART)
    const draft = messages.draft(mintQueueId(Date.now()))
    const gate = Promise.withResolvers<void>()
    const first = Promise.withResolvers<void>()
    front.decide(async ({ path }): Promise<Fate> => {
      if (!path.includes('partNumber=')) return 'pass'
      first.resolve()
      await gate.promise
      return 'pass'
    })
    expect(draft.write(part)).toBeUndefined()
    expect(draft.write(part)).toBeUndefined()
    await first.promise
    const waiting = draft.write(part)
    expect(waiting).toBeInstanceOf(Promise)
    gate.resolve()
    await waiting
    await draft.seal()
    expect(asked().filter(line => line.includes('partNumber='))).toHaveLength(3)
    await draft.discard()
  })

  it('shows a large content that does not count yet to whoever must see it, and takes it back', async () => {
    const content = octets(PART + 5)
    const { queueId, draft } = await sealed(content)
    const chunks = []
    for await (const chunk of draft.content().chunks()) chunks.push(chunk)
    expect(Buffer.concat(chunks).equals(content)).toBe(true)
    await draft.discard()
    expect(await listed(messages)).toEqual([])
    await expect(messages.open(queueId)).rejects.toThrow(ContentMissingError)
  })

  it('keeps a large content that was looked at and then committed', async () => {
    const content = octets(PART + 5)
    const { queueId, draft } = await sealed(content)
    for await (const chunk of draft.content().chunks()) expect(chunk.length).toBeGreaterThan(0)
    await draft.commit()
    await draft.discard()
    expect((await read(messages, queueId)).equals(content)).toBe(true)
  })

  it('ends the upload of a large message that is given back', async () => {
    const { draft } = await sealed(octets(PART + 5))
    await draft.discard()
    expect(asked().at(-1)).toMatch(/^DELETE .*uploadId=/)
    expect(await listed(messages)).toEqual([])
  })

  it('tells the session as soon as a part cannot be stored', async () => {
    front.decide(({ path }) => (path.includes('uploads') ? { status: 403 } : 'pass'))
    const draft = messages.draft(mintQueueId(Date.now()))
    await expect(writeAll(draft, octets(2 * PART + 1), 65_536)).rejects.toThrow()
    await draft.discard()
  })

  it('stores nothing, and says so, when S3 is not available', async () => {
    front.decide(() => ({ status: 503 }))
    const { queueId, draft } = await sealed(octets(1000))
    await expect(draft.commit()).rejects.toThrow()
    front.decide(() => 'pass')
    await draft.discard()
    await expect(messages.open(queueId)).rejects.toThrow(ContentMissingError)
  })

  it('repeats a request whose answer was lost', async () => {
    let lost = 0
    front.decide(({ method }) => (method === 'PUT' && lost++ === 0 ? 'lost' : 'pass'))
    const content = octets(1000)
    const { queueId, draft } = await sealed(content)
    await draft.commit()
    expect(lost).toBe(2)
    expect((await read(messages, queueId)).equals(content)).toBe(true)
  })

  it('takes back what it cannot know to be stored', async () => {
    front.decide(({ method }) => (method === 'PUT' ? 'lost' : 'pass'))
    const { queueId, draft } = await sealed(octets(1000))
    await expect(draft.commit()).rejects.toThrow()
    expect(await listed(messages)).toEqual([queueId])
    await draft.discard()
    expect(await listed(messages)).toEqual([])
  })

  it.each([1000, 300_000])('reports a content of %i octets that is not what was stored', async size => {
    const queueId = mintQueueId(Date.now())
    const Metadata = { sha256: sha256(octets(size)).toString('hex') }
    const damaged = { Bucket: bucket, Key: `incoming/${queueId}`, Body: octets(size, 2), Metadata }
    await client.send(new PutObjectCommand(damaged))
    await expect(read(messages, queueId)).rejects.toThrow('checksum')
  })

  it('lists more than a page, with the time of storing', async () => {
    const before = Date.now()
    messages = createS3MessageStore({ client, bucket, page: 3 })
    const ids = Array.from({ length: 8 }, () => mintQueueId(Date.now()))
    for (const id of ids) await sealed(octets(1), id).then(({ draft }) => draft.commit())
    expect(await listed(messages)).toEqual(ids.toSorted())
    expect(asked().filter(line => line.includes('list-type=2'))).toHaveLength(3)
    for await (const { storedAt } of messages.stored()) expect(storedAt).toBeGreaterThanOrEqual(before - 1000)
  })
})
