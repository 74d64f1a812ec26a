import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { contentOf, deliverOnce, HOSTNAME, MAIL, QUEUE_ID, told } from './messages.ts'

let directory: string
let maildir: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'elemta-maildir-'))
  maildir = join(directory, 'data', 'maildir')
})
afterEach(() => rm(directory, { recursive: true }))
const to = () => `maildir:${maildir}`
const filesIn = (name: string) => readdir(join(maildir, name))

test('a copy for each recipient, with its own Delivered-To, octet by octet', async () => {
  const recipients = ['a@example.com', 'b@example.com']
  const mail = Buffer.from('X-Spam-Flag: NO\r\nSubject: x\r\n\r\n.\r\nÄ\0\xff\r\nno end', 'latin1')
  const headers = [{ name: 'X-Spam-Flag', value: 'YES' }]
  const outcomes = await deliverOnce({ to: to(), recipients, content: contentOf(mail), headers })
  expect(await filesIn('tmp')).toEqual([])
  expect(await filesIn('cur')).toEqual([])
  expect(await filesIn('new')).toHaveLength(2)
  for (const recipient of recipients) {
    const { kind, nextHop, reply } = outcomes.get(recipient)!
    expect(kind).toBe('delivered')
    expect(nextHop).toBe(`maildir:${reply}`)
    const stored = await readFile(reply, 'latin1')
    expect(stored).toMatch(
      new RegExp(
        `^Return-Path: <alice@sender.example>\r\nDelivered-To: ${recipient}\r\nReceived: [^]*\r\nX-Spam-Flag: YES\r\n`,
      ),
    )
    expect(
      stored.endsWith(`+0000\r\nX-Spam-Flag: YES\r\n${mail.toString('latin1').replace('X-Spam-Flag: NO\r\n', '')}`),
    ).toBe(true)
    expect((await stat(reply)).mode & 0o077).toBe(0)
  }
})

test('people are told the file, relative to where they are', async () => {
  const here = await mkdtemp('.maildir-')
  try {
    const [outcome] = (await deliverOnce({ to: `maildir:./${here}` })).values()
    expect(outcome?.reply).toMatch(new RegExp(`^${here}/new/1795311425\\.${QUEUE_ID}R[0-9a-f]{16}\\.${HOSTNAME}$`))
  } finally {
    await rm(here, { recursive: true })
  }
})

test('a second delivery of the same copy finds the first', async () => {
  const first = await deliverOnce({ to: to() })
  const [name] = await filesIn('new')
  const { ino } = await stat(join(maildir, 'new', name!))
  const second = await deliverOnce({ to: to(), content: contentOf('Subject: not written\r\n\r\n') })
  expect(await filesIn('new')).toEqual([name])
  expect((await stat(join(maildir, 'new', name!))).ino).toBe(ino)
  expect(told(second)).toEqual(told(first))
})

test('two deliveries of the same copy at the same time leave one', async () => {
  await Promise.all([deliverOnce({ to: to() }), deliverOnce({ to: to() }), deliverOnce({ to: to() })])
  expect(await filesIn('new')).toHaveLength(1)
  expect(await filesIn('tmp')).toEqual([])
})

test('a hundred recipients and a large message', async () => {
  const recipients = Array.from({ length: 100 }, (_, n) => `r${n}@example.com`)
  const body = Buffer.alloc(300_000, 'x'.repeat(70).concat('\r\n'))
  const outcomes = await deliverOnce({
    to: to(),
    recipients,
    content: contentOf(Buffer.concat([Buffer.from(MAIL), body])),
  })
  expect(new Set([...outcomes.values()].map(({ kind }) => kind))).toEqual(new Set(['delivered']))
  expect(await filesIn('new')).toHaveLength(100)
})

test('a content that cannot be read leaves nothing behind and waits', async () => {
  const content = {
    size: 1000,
    async *chunks() {
      yield Buffer.from('Subject: half\r\n\r\n')
      throw new Error('the disk is gone')
    },
  }
  expect(told(await deliverOnce({ to: to(), content }))).toEqual(['deferred: could not be stored: the disk is gone'])
  expect([...(await filesIn('new')), ...(await filesIn('tmp'))]).toEqual([])
})

test('a place where nothing can be stored is a deferral that says why', async () => {
  await writeFile(join(directory, 'data'), 'a file in the way')
  const [outcome] = (await deliverOnce({ to: to() })).values()
  expect(outcome).toMatchObject({ kind: 'deferred', nextHop: `maildir:${maildir}` })
  expect(outcome?.reply).toMatch(/^could not be stored: ENOTDIR: not a directory/)
})

test('a maildir that lost a directory gets it back', async () => {
  await deliverOnce({ to: to() })
  await rm(join(maildir, 'new'), { recursive: true })
  expect(told(await deliverOnce({ to: to() }))).toEqual([
    `delivered: ${join(maildir, 'new', (await filesIn('new'))[0]!)}`,
  ])
})

test('a delivery that is called off stores no more copies', async () => {
  for (const name of ['tmp', 'new', 'cur']) await mkdir(join(maildir, name), { recursive: true })
  const stop = new AbortController()
  const content = {
    size: 10,
    async *chunks() {
      stop.abort(new Error('the lease was lost'))
      yield Buffer.from('A: b\r\n\r\n')
    },
  }
  const recipients = Array.from({ length: 50 }, (_, n) => `r${n}@example.com`)
  await expect(deliverOnce({ to: to(), recipients, content, signal: stop.signal })).rejects.toThrow(
    'the lease was lost',
  )
  // What was begun is finished, nothing is written behind the caller's back.
  expect((await filesIn('new')).length).toBeLessThan(50)
  expect(await filesIn('tmp')).toEqual([])
})
