// The file of recipients: one a line, `#` begins a comment. It is looked at again when somebody asks, once a second at
// most. At the start it must be there and in order; later one that is missing, broken or empty is told in the log and
// the old list stays. One that changed a moment ago waits, since whoever writes it may not be done: half a list would
// refuse real people for good.
import { readFileSync, statSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import type { Log } from '../platform/log.ts'
import { createRecipientList, type RecipientList } from './recipient-list.ts'

const BETWEEN_LOOKS = 1000
const SETTLED = 1000

/** Throws Error naming the key when there is no such file, or something else in it. */
export function createRecipientFile(
  path: string,
  { log, now }: Readonly<{ log: Log; now: () => number }>,
): (recipient: string) => Promise<boolean> {
  let { list, read } = readAtStart(path)
  let lookedAt = now()
  let complaint = ''
  let look: Promise<void> | undefined

  async function refresh(): Promise<void> {
    try {
      const stats = await stat(path)
      if (stampOf(stats) === read) return
      // A clock that is wrong, ours or a file server's, must not keep a list from being read for ever.
      if (Math.abs(now() - stats.mtimeMs) < SETTLED) return
      list = parse(path, await readFile(path, 'utf8'))
      read = stampOf(stats)
      complaint = ''
      log.info({ file: path }, 'recipients-read')
    } catch (error) {
      const { message } = error as Error
      if (message !== complaint)
        log.error({ file: path, why: message, effect: 'the old list stays' }, 'recipients-unread')
      complaint = message
    }
  }

  return async recipient => {
    if (now() - lookedAt >= BETWEEN_LOOKS) {
      lookedAt = now()
      look ??= refresh().finally(() => {
        look = undefined
      })
    }
    await look
    return list(recipient)
  }
}

function readAtStart(path: string): { list: RecipientList; read: string } {
  try {
    const read = stampOf(statSync(path)) // before the content: a change between the two is then seen later
    return { list: parse(path, readFileSync(path, 'utf8')), read }
  } catch (error) {
    throw new Error(`recipients: file: ${(error as Error).message}`)
  }
}

function parse(path: string, text: string): RecipientList {
  const lines = text.split(/\r?\n/).map(line => line.replace(/(^|\s)#.*$/, '').trim())
  if (lines.every(line => line === '')) throw new Error(`${path} has no recipient in it`)
  const numbers = lines.flatMap((line, n) => (line === '' ? [] : [n + 1]))
  return createRecipientList(
    lines.filter(line => line !== ''),
    n => `${path}:${numbers[n]}`,
  )
}

function stampOf({ mtimeMs, size, ino }: Readonly<{ mtimeMs: number; size: number; ino: number }>): string {
  return `${mtimeMs} ${size} ${ino}`
}
