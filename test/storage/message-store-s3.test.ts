import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { mintQueueId } from '../../src/mail/queue-id.ts'
import { sha256 } from '../../src/storage/content-checksum-s3.ts'
import { ContentMissingError } from '../../src/storage/message-store.ts'
import { createS3MessageStore, type S3MessageStore } from '../../src/storage/message-store-s3.ts'
import { octets } from '../contract/home.ts'
import { listed, read, writeAll } from '../contract/message-store.ts'
import { type Fate, type Front, startFront } from './http-front.ts'
import { awsEndpoint, CREDENTIALS, newBucket, REGION, s3Client } from './s3.ts'

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

  it('asks again when half an answer came', async () => {
    const content = octets(20_000)
    const { queueId, draft } = await sealed(content)
    await draft.commit()
    let cut = 0
    front.decide(({ method }) => (method === 'GET' && cut++ === 0 ? 'cut' : 'pass'))
    expect((await read(messages, queueId)).equals(content)).toBe(true)
    expect(cut).toBe(2)
  })

  it('has S3 check what arrives, and keeps the checksum with it', async () => {
    const content = octets(1000)
    const { draft } = await sealed(content)
    await draft.commit()
    const digest = sha256(content)
    expect(front.requests[0]?.headers).toMatchObject({
      'x-amz-content-sha256': digest.toString('hex'),
      'x-amz-checksum-sha256': digest.toString('base64'),
      'x-amz-meta-sha256': digest.toString('hex'),
    })
  })

  it('tells what its requests are billed as: no failure of S3 is, and no removal', async () => {
    const counted: string[] = []
    messages = createS3MessageStore({ client, bucket, count: unit => counted.push(unit) })
    let failed = false
    front.decide(({ method }) => {
      if (failed || method !== 'PUT') return 'pass'
      failed = true
      return { status: 500 }
    })
    const unlucky = await sealed(octets(100))
    const other = await sealed(octets(100))
    await unlucky.draft.commit() // the SDK's client, which has a count of its own, asks again
    await other.draft.commit()
    await read(messages, other.queueId)
    await messages.remove(other.queueId)
    expect(counted).toEqual(['s3Put', 's3Get'])
  })

  it('keeps its connections', async () => {
    const sessions = 8
    const before = front.connections()
    const session = async () => {
      for (let n = 0; n < 10; n++) {
        const { queueId, draft } = await sealed(octets(5000))
        await draft.commit()
        await read(messages, queueId)
        await messages.remove(queueId)
      }
    }
    await Promise.all(Array.from({ length: sessions }, session))
    expect(front.requests).toHaveLength(sessions * 30)
    // One is still being given back when the next request wants it.
    expect(front.connections() - before).toBeLessThanOrEqual(2 * sessions)
  })

  it('keeps its connection when the beginning of a large content is all that is wanted', async () => {
    const { queueId, draft } = await sealed(octets(300_000))
    await draft.commit()
    const before = front.connections()
    for (let n = 0; n < 5; n++) expect((await messages.open(queueId)).size).toBe(300_000)
    expect(front.connections() - before).toBeLessThanOrEqual(1)
  })

  it('signs with the credentials that are valid now', async () => {
    let issued = 0
    const credentials = async () => ({
      accessKeyId: `key-${++issued}`,
      secretAccessKey: 'secret',
      sessionToken: `token-${issued}`,
      // Too soon for any to be used twice.
      expiration: new Date(Date.now() + 1000),
    })
    const temporary = new S3Client({ endpoint: front.endpoint, region: REGION, credentials, forcePathStyle: true })
    const store = createS3MessageStore({ client: temporary, bucket })
    for (let n = 0; n < 2; n++) {
      const draft = store.draft(mintQueueId(Date.now()))
      await writeAll(draft, octets(10), 10)
      await draft.seal()
      await draft.commit()
    }
    temporary.destroy()
    const used = front.requests.map(({ headers }) => ({
      key: /Credential=key-(\d+)/.exec(String(headers.authorization))?.[1],
      token: /token-(\d+)/.exec(String(headers['x-amz-security-token']))?.[1],
    }))
    expect(used.map(({ key }) => key)).toEqual(used.map(({ token }) => token))
    expect(new Set(used.map(({ key }) => key)).size).toBe(2)
  })

  it('asks where the environment says that S3 is', async () => {
    const before = process.env.AWS_ENDPOINT_URL_S3
    process.env.AWS_ENDPOINT_URL_S3 = front.endpoint
    try {
      const elsewhere = new S3Client({ region: REGION, credentials: CREDENTIALS, forcePathStyle: true })
      const draft = createS3MessageStore({ client: elsewhere, bucket }).draft(mintQueueId(Date.now()))
      await writeAll(draft, octets(10), 10)
      await draft.seal()
      await draft.commit()
      elsewhere.destroy()
    } finally {
      if (before === undefined) delete process.env.AWS_ENDPOINT_URL_S3
      else process.env.AWS_ENDPOINT_URL_S3 = before
    }
    expect(front.requests).toHaveLength(1)
  })

  it.each([
    ['GET', 404, 'NoSuchKey', ContentMissingError],
    ['PUT', 403, 'AccessDenied', /AccessDenied|denied/],
  ] as const)('passes on what S3 says to a %s that it refuses with %i', async (refused, status, code, expected) => {
    const { queueId, draft } = await sealed(octets(1000))
    if (refused === 'GET') await draft.commit()
    const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>denied</Message></Error>`
    front.decide(({ method }) => (method === refused ? { status, body } : 'pass'))
    await expect(refused === 'GET' ? messages.open(queueId) : draft.commit()).rejects.toThrow(expected)
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
