// Delivery into a maildir: written under tmp, synced, renamed into new, the directory synced. One file per recipient.
// The rename is what the final dot is elsewhere: it is put on record before.
// The name follows from the message and the recipient, so a second delivery of the same copy finds the first one as
// long as no reader moved it to cur. Line ends stay CRLF, as everywhere here. Trouble of any kind is a deferral.
import { createHash } from 'node:crypto'
import { mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import type { AcceptedMessage } from '../mail/record.ts'
import { crashPoint } from '../platform/crash-point.ts'
import type { DotMark } from './dot-mark.ts'

export type MaildirCopy = Readonly<{ recipient: string; name: string; content(): AsyncIterable<Buffer> }>

/** `place` is the file, or the maildir where there is no file; relative to the working directory if it is below it. */
export type MaildirResult = Readonly<{
  recipient: string
  kind: 'delivered' | 'deferred'
  place: string
  reply: string
}>

/** Copies written at the same time. */
const WRITERS = 8

/** Unique and always the same for one recipient's copy: time of acceptance, queue id and recipient, host. */
export function maildirName({ queueId, acceptedAt }: AcceptedMessage, recipient: string, hostname: string): string {
  const who = createHash('sha256').update(recipient).digest('hex').slice(0, 16)
  return `${Math.floor(acceptedAt / 1000)}.${queueId}R${who}.${hostname.replaceAll(/[^\w.-]/g, '_')}`
}

type Options = Readonly<{ signal?: AbortSignal | undefined; mark?: DotMark | undefined }>

/** Delivers the copies and makes all of them durable. Rejects only with the signal's reason, or the mark's. */
export async function deliverToMaildir(
  maildir: string,
  copies: readonly MaildirCopy[],
  { signal, mark }: Options = {},
): Promise<MaildirResult[]> {
  const troubles = new Map<string, string>()
  const queue = copies.values()
  let refusal: { error: unknown } | undefined

  async function beforeRename(recipient: string): Promise<void> {
    if (mark === undefined) return
    await mark.set([recipient], `maildir:${displayed(maildir)}`).catch(error => {
      refusal ??= { error }
      throw error
    })
    if (!signal?.aborted) return
    await mark.clear([recipient])
    signal.throwIfAborted()
  }
  async function writer() {
    for (const copy of queue) {
      if (signal?.aborted || refusal) return
      const beforeThis = () => beforeRename(copy.recipient)
      await storeCopy(maildir, copy, beforeThis).catch(error => troubles.set(copy.recipient, describe(error)))
    }
  }
  await Promise.all(Array.from({ length: WRITERS }, writer))
  // Only now: whoever is told that it is over may rely on nobody writing any more.
  signal?.throwIfAborted()
  if (refusal) throw refusal.error
  const unsynced =
    troubles.size === copies.length ? undefined : await syncDirectory(join(maildir, 'new')).catch(describe)

  return copies.map(({ recipient, name }) => {
    const trouble = troubles.get(recipient) ?? unsynced
    const place = displayed(trouble === undefined ? join(maildir, 'new', name) : maildir)
    if (trouble === undefined) return { recipient, kind: 'delivered', place, reply: place }
    return { recipient, kind: 'deferred', place, reply: `could not be stored: ${trouble}` }
  })
}

type BeforeRename = () => Promise<void>

async function storeCopy(maildir: string, copy: MaildirCopy, beforeRename: BeforeRename): Promise<void> {
  try {
    await writeCopy(maildir, copy, beforeRename)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    await makeMaildir(maildir)
    await writeCopy(maildir, copy, beforeRename)
  }
}

async function writeCopy(maildir: string, { name, content }: MaildirCopy, beforeRename: BeforeRename): Promise<void> {
  const file = join(maildir, 'new', name)
  if (await exists(file)) return
  // A name of its own under tmp: should two workers ever write the same copy, neither spoils the other's file.
  const unfinished = join(maildir, 'tmp', `${name}.${process.pid}_${nextNumber()}`)
  const handle = await open(unfinished, 'wx', 0o600)
  try {
    try {
      await handle.writeFile(content())
      await handle.sync()
    } finally {
      await handle.close()
    }
    await beforeRename()
    await rename(unfinished, file)
    crashPoint('after-dot')
  } catch (error) {
    await rm(unfinished, { force: true })
    throw error
  }
}

let lastNumber = 0
function nextNumber(): number {
  return ++lastNumber
}

async function exists(file: string): Promise<boolean> {
  return await stat(file).then(
    () => true,
    error => {
      if (error.code === 'ENOENT') return false
      throw error
    },
  )
}

/** The maildir with its three directories, durable. */
async function makeMaildir(maildir: string): Promise<void> {
  const firstMade = await mkdir(maildir, { recursive: true, mode: 0o700 })
  for (const directory of ['tmp', 'new', 'cur']) await mkdir(join(maildir, directory), { recursive: true, mode: 0o700 })
  const top = firstMade === undefined ? maildir : dirname(firstMade)
  let directory = maildir
  for (; directory !== top; directory = dirname(directory)) await syncDirectory(directory)
  await syncDirectory(directory)
}

async function syncDirectory(path: string): Promise<undefined> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function displayed(path: string): string {
  const below = relative('', path)
  return below.startsWith('..') ? path : below
}
