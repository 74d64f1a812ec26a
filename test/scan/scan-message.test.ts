// Both scanners at once, on contents of any size: the real ones, and stand-ins for the one that misbehaves.
import { createHash } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../../local/embedded/port.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { createClamav } from '../../src/scan/clamav.ts'
import { createRspamd } from '../../src/scan/rspamd.ts'
import { scanMessage } from '../../src/scan/scan-message.ts'
import type { Scanner } from '../../src/scan/scanner.ts'
import type { Content } from '../../src/storage/message-store.ts'
import { accepted, bigMail, EICAR, GTUBE, mail, mailWith, stored, zip } from './messages.ts'
import { type RealClamd, type RealRspamd, realClamd, realRspamd } from './real-daemons.ts'
import { standIn } from './stand-in.ts'

const MEBIBYTE = 1024 * 1024

const metrics = createMetrics()
let clamd: RealClamd
let rspamdDaemon: RealRspamd

beforeAll(async () => {
  ;[clamd, rspamdDaemon] = await Promise.all([
    realClamd(64 * MEBIBYTE),
    realRspamd({ zones: '', messageBytes: 64 * MEBIBYTE }),
  ])
}, 120_000)

afterAll(async () => {
  await Promise.all([clamd?.stop(), rspamdDaemon?.stop()])
})

const clamavAt = (port: number, timeout = 30_000) => createClamav({ host: '127.0.0.1', port, timeout, metrics })
const clamav = () => clamavAt(clamd.port)
const rspamd = (timeout = 30_000) => createRspamd({ host: '127.0.0.1', port: rspamdDaemon.port, timeout, metrics })
const scan = (content: Content, scanners: Scanner[] = [clamav(), rspamd()], signal?: AbortSignal) =>
  scanMessage({ scanners, message: accepted(), content, metrics, ...(signal && { signal }) })

const clean = { scanner: 'clamav', kind: 'clean' }
const scored = { scanner: 'rspamd', kind: 'scored' }

describe.each([
  ['small', 1000],
  ['large', 600_000],
])('a %s message', (_name, size) => {
  const padding = (octets: Buffer, name: string) => mailWith(octets, name, 'a line of text\r\n'.repeat(size / 16))

  test('is seen by both, in their order, and timed', async () => {
    const { findings, seconds } = await scan(stored(padding(Buffer.from('notes'), 'notes.txt')))
    expect(findings).toMatchObject([clean, scored])
    expect(seconds).toBeGreaterThan(0)
  })

  test('with a virus is caught by one of them', async () => {
    const { findings } = await scan(stored(padding(zip('eicar.com', Buffer.from(EICAR)), 'invoice.zip')))
    expect(findings).toMatchObject([{ kind: 'virus' }, scored])
  })

  test('is read once', async () => {
    const content = stored(padding(Buffer.from('notes'), 'notes.txt'))
    let readings = 0
    const chunks = () => {
      readings++
      return content.chunks()
    }
    await scan({ ...content, chunks })
    expect(readings).toBe(1)
  })

  test('is scanned by one when the other is down', async () => {
    const down = clamavAt(await freePort())
    const { findings } = await scan(stored(padding(Buffer.from('notes'), 'notes.txt')), [down, rspamd()])
    expect(findings).toMatchObject([{ kind: 'could-not-scan', failure: 'unreachable' }, scored])
  })

  test('that cannot be read has no findings', async () => {
    const octets = padding(Buffer.from('notes'), 'notes.txt')
    const broken: Content = {
      size: octets.length,
      async *chunks() {
        yield octets.subarray(0, 500)
        throw new Error('the disk is gone')
      },
    }
    await expect(scan(broken)).rejects.toThrow('the disk is gone')
    await expect(scan({ ...stored(octets), size: octets.length + 1 })).rejects.toThrow(`${octets.length + 1}`)
    await expect(scan({ ...stored(octets), size: octets.length - 1 })).rejects.toThrow(`${octets.length - 1}`)
  })

  test('that is given up has no findings', async () => {
    await using silent = await standIn(() => {})
    const giveUp = new AbortController()
    const scanning = scan(stored(padding(Buffer.from('x'), 'x')), [clamavAt(silent.port), rspamd()], giveUp.signal)
    giveUp.abort(new Error('the lease was lost'))
    await expect(scanning).rejects.toThrow('the lease was lost')
  })
})

test('GTUBE is caught by Rspamd', async () => {
  expect((await scan(stored(mail(GTUBE)))).findings).toMatchObject([clean, { action: 'reject' }])
})

test('without scanners nothing is found', async () => {
  expect((await scan(stored(mail('hello')), [])).findings).toEqual([])
  expect((await scan(stored(bigMail(1_000_000)), [])).findings).toEqual([])
})

test('a scanner that reads nothing does not make the other miss its deadline', async () => {
  const released = Promise.withResolvers<void>()
  await using stuck = await standIn(socket => void released.promise.then(() => socket.end('stuck\0')))
  const patient = rspamd(10_000)
  const releasing: Scanner = {
    ...patient,
    scan: (...message) => patient.scan(...message).finally(released.resolve),
  }
  const { findings } = await scan(stored(bigMail(8_000_000)), [clamavAt(stuck.port, 30_000), releasing])
  expect(findings).toMatchObject([{ kind: 'could-not-scan', detail: expect.stringContaining('stuck') }, scored])
})

describe('every octet reaches a scanner that', () => {
  const octets = bigMail(8_000_000)
  const expected = createHash('sha256').update(octets).digest('hex')

  /** Says what it got, as a signature. */
  const digesting = (begin: (nth: number, read: () => void, reset: () => void) => void) =>
    standIn((socket, nth) => {
      const head = Buffer.from('zINSTREAM\0\0\0\0\0')
      const hash = createHash('sha256')
      let left = head.length + octets.length
      socket.on('data', (chunk: Buffer) => {
        const skip = Math.max(0, left - octets.length)
        hash.update(chunk.subarray(skip, left))
        left -= chunk.length
        if (left <= -4) socket.end(`stream: ${hash.digest('hex')} FOUND\0`)
      })
      socket.pause()
      begin(
        nth,
        () => socket.resume(),
        () => socket.resetAndDestroy(),
      )
    })

  test('begins late, after the others went on without it', async () => {
    await using late = await digesting((_nth, read) => setTimeout(read, 600))
    const { findings } = await scan(stored(octets), [clamavAt(late.port), rspamd()])
    expect(findings, JSON.stringify(findings)).toMatchObject([{ signature: expected }, scored])
  })

  test('starts over after a reset', async () => {
    await using moody = await digesting((nth, read, reset) => {
      read()
      if (nth === 1) setTimeout(reset, 20)
    })
    const { findings } = await scan(stored(octets), [clamavAt(moody.port), rspamd()])
    expect(findings, JSON.stringify(findings)).toMatchObject([{ signature: expected }, scored])
  })
})

test('memory is bounded: 40 MB cost less than 2 MiB', async () => {
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void
  const line = `${Buffer.alloc(57, 'attachment').toString('base64')}\r\n`
  const head = mail('').toString().replace('text/plain; charset=utf-8', 'application/octet-stream')
  const pieces = 160
  const size = head.length + pieces * 256 * 1024
  collectGarbage()
  const before = process.memoryUsage().arrayBuffers
  let most = 0
  const content: Content = {
    size,
    async *chunks() {
      yield Buffer.from(head)
      for (let n = 0; n < pieces; n++) {
        if (n % 16 === 0) {
          collectGarbage()
          collectGarbage() // waits for what the first one is still sweeping
          most = Math.max(most, process.memoryUsage().arrayBuffers - before)
        }
        yield Buffer.alloc(256 * 1024, line)
      }
    },
  }
  expect((await scan(content)).findings).toMatchObject([clean, scored])
  expect(most).toBeLessThan(2 * MEBIBYTE)
})
