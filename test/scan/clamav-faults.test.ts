// What a sick clamd, or something else on its port, may say: never read as clean.
import type { Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { createMetrics } from '../../src/platform/metrics.ts'
import { createClamav } from '../../src/scan/clamav.ts'
import { readVersionReply } from '../../src/scan/clamd-reply.ts'
import { accepted, bigMail, mail, stored, whole } from './messages.ts'
import { afterRequest, standIn } from './stand-in.ts'

const END_OF_STREAM = Buffer.alloc(4)
const metrics = createMetrics()
const at = (port: number, timeout = 5000) => createClamav({ host: '127.0.0.1', port, timeout, metrics })
const small = whole(mail('hello'))
const large = stored(bigMail(3_000_000))

/** What becomes of a message whose scan ends with this answer and the connection's end. */
async function findingFor(answer: string, content = small) {
  await using clamd = await standIn(socket => afterRequest(socket, END_OF_STREAM, () => socket.end(answer, 'latin1')))
  return await at(clamd.port).scan(accepted(), content)
}

describe('answers', () => {
  test.each([
    ['stream: OK\0', { kind: 'clean' }],
    ['stream: OK\n', { kind: 'clean' }],
    ['stream: Win.Test.EICAR_HDB-1 FOUND\0', { kind: 'virus', signature: 'Win.Test.EICAR_HDB-1' }],
    ['stream: My.Own.UNOFFICIAL FOUND\0', { kind: 'virus', signature: 'My.Own' }],
    ['stream: {HEX}php.shell FOUND.UNOFFICIAL FOUND\0', { kind: 'virus', signature: '{HEX}php.shell FOUND' }],
    ['stream: Heuristics.OLE2.ContainsMacros.VBA FOUND\0', { kind: 'heuristic' }],
    ['INSTREAM size limit exceeded. ERROR\0', { failure: 'too-large' }],
    ['COMMAND READ TIMED OUT\n', { failure: 'timeout' }],
    ['stream: OK', { failure: 'protocol' }],
    ['stream: OK.', { failure: 'protocol' }],
    ['stream: O', { failure: 'protocol' }],
    ['stream: OK ERROR\0', { failure: 'protocol' }],
    ['1: stream: OK\0', { failure: 'protocol' }],
    ['stream: Time limit reached ERROR\0', { failure: 'protocol' }],
    ["stream: Can't allocate memory ERROR\0", { failure: 'protocol' }],
    ['stream:  FOUND\0', { failure: 'protocol' }],
    ['stream: one\0stream: OK\0', { failure: 'protocol' }],
    ['UNKNOWN COMMAND\0', { failure: 'protocol' }],
    ['220 mx.example.com ESMTP\r\n', { failure: 'protocol' }],
    ['\0', { failure: 'protocol' }],
    ['', { failure: 'protocol' }],
  ])('%j', async (answer, finding) => {
    expect(await findingFor(answer)).toMatchObject(finding)
    expect(await findingFor(answer, large)).toMatchObject(finding)
  })

  test('a failure says where and what', async () => {
    expect(await findingFor('stream: OOPS\0')).toMatchObject({
      detail: expect.stringMatching(/^clamd at 127\.0\.0\.1:\d+ answered "stream: OOPS"$/),
    })
    expect(await findingFor('')).toMatchObject({
      detail: expect.stringMatching(/^clamd at 127\.0\.0\.1:\d+ closed the connection without an answer \(\d+ octets/),
    })
  })

  test('one without end is cut off', async () => {
    await using clamd = await standIn(socket => {
      socket.resume()
      const more = () => void (socket.destroyed || socket.write('x'.repeat(1000), () => setImmediate(more)))
      more()
    })
    expect(await at(clamd.port).scan(accepted(), small)).toMatchObject({ failure: 'protocol' })
  })
})

describe('connections', () => {
  test('an answer before the end of the message is read and nothing more is sent', async () => {
    await using clamd = await standIn(socket => {
      socket.once('data', () => socket.pause().write('INSTREAM size limit exceeded. ERROR\0'))
      socket.resume()
    })
    expect(await at(clamd.port).scan(accepted(), large)).toMatchObject({ failure: 'too-large' })
  })

  test('praise before the end of the message is not believed, a finding is', async () => {
    for (const [answer, finding] of [
      ['stream: OK\0', { failure: 'protocol' }],
      ['stream: Eicar FOUND\0', { kind: 'virus' }],
    ] as const) {
      await using clamd = await standIn(socket => {
        socket.once('data', () => socket.pause().write(answer))
        socket.resume()
      })
      const beyondBuffers = stored(bigMail(10_000_000))
      expect(await at(clamd.port).scan(accepted(), beyondBuffers)).toMatchObject(finding)
    }
  })

  test('no answer is a timeout that says how far it came', async () => {
    await using clamd = await standIn(socket => void socket.resume())
    expect(await at(clamd.port, 100).scan(accepted(), small)).toMatchObject({
      failure: 'timeout',
      detail: expect.stringMatching(/^clamd at 127\.0\.0\.1:\d+ gave no answer within 0\.1 s \(\d+ octets sent\)$/),
    })
  })

  test('half an answer and silence is a timeout', async () => {
    await using clamd = await standIn(socket => afterRequest(socket, END_OF_STREAM, () => socket.write('stream: O')))
    expect(await at(clamd.port, 100).scan(accepted(), small)).toMatchObject({ failure: 'timeout' })
  })

  test('a peer that reads nothing is a timeout and does not make us buffer the message', async () => {
    await using clamd = await standIn(() => {})
    let pieces = 0
    const piece = Buffer.alloc(64 * 1024)
    const endless = {
      size: 2 ** 31,
      async *chunks() {
        for (;;) {
          pieces++
          yield piece
        }
      },
    }
    expect(await at(clamd.port, 300).scan(accepted(), endless)).toMatchObject({ failure: 'timeout' })
    // What the kernel takes for both ends; without back-pressure it would be thousands.
    expect(pieces * piece.length).toBeLessThan(32 * 1024 * 1024)
  })

  test('one that is reset without an answer is tried once more', async () => {
    await using clamd = await standIn((socket, nth) => {
      if (nth === 1) socket.resetAndDestroy()
      else afterRequest(socket, END_OF_STREAM, () => socket.end('stream: OK\0'))
    })
    expect(await at(clamd.port).scan(accepted(), small)).toEqual({ scanner: 'clamav', kind: 'clean' })
    expect(clamd.connections()).toBe(2)
  })

  test('a refusal that was lost in a broken connection is waited for', async () => {
    let received = 0
    await using clamd = await standIn((socket, nth) => {
      if (nth % 2 === 1) return void socket.once('data', () => socket.resetAndDestroy()).resume()
      socket.on('data', (chunk: Buffer) => (received += chunk.length)).resume()
      setTimeout(() => socket.end('INSTREAM size limit exceeded. ERROR\0'), 100)
    })
    for (const content of [large, whole(bigMail(3_000_000))]) {
      received = 0
      expect(await at(clamd.port).scan(accepted(), content)).toMatchObject({ failure: 'too-large' })
      expect(received).toBe('zINSTREAM\0'.length + 4)
    }
  })

  test('one that is reset again and again is a failure', async () => {
    await using clamd = await standIn((socket: Socket) => socket.resetAndDestroy())
    expect(await at(clamd.port).scan(accepted(), small)).toMatchObject({
      failure: expect.stringMatching(/protocol|unreachable/),
    })
    expect(clamd.connections()).toBe(2)
  })

  test('an answer that was read before the reset counts, half of one does not', async () => {
    for (const [answer, finding] of [
      ['stream: Eicar FOUND\0', { kind: 'virus' }],
      ['stream: Eica', { failure: 'protocol' }],
    ] as const) {
      await using clamd = await standIn(socket => {
        socket.once('data', () => socket.pause().write(answer, () => socket.resetAndDestroy()))
        socket.resume()
      })
      expect(await at(clamd.port).scan(accepted(), small)).toMatchObject(finding)
      expect(clamd.connections()).toBe(1)
    }
  })

  test('a message that cannot be read is not scanned as far as it came', async () => {
    await using clamd = await standIn(socket => afterRequest(socket, END_OF_STREAM, () => socket.end('stream: OK\0')))
    const damaged = {
      size: 100,
      async *chunks() {
        yield Buffer.alloc(50, 'x')
        throw new Error('the disk is gone')
      },
    }
    expect(await at(clamd.port).scan(accepted(), damaged)).toMatchObject({ kind: 'could-not-scan' })
  })
})

test('the version tells engine, database and its date', () => {
  expect(readVersionReply('ClamAV 1.4.6/27345/Sat Nov 21 23:34:35 2026')).toEqual({
    engine: '1.4.6',
    database: '27345',
    databaseBuiltAt: Date.UTC(2026, 10, 21, 23, 34, 35),
  })
  expect(readVersionReply('ClamAV 1.4.6/25678/Wed Jan  1 10:00:00 2020')?.databaseBuiltAt).toBe(
    Date.UTC(2020, 0, 1, 10),
  )
  expect(readVersionReply('ClamAV 1.4.6')).toEqual({ engine: '1.4.6' })
  expect(readVersionReply('ClamAV 1.4.6/27345/some day')).toEqual({ engine: '1.4.6', database: '27345' })
  expect(readVersionReply('UNKNOWN COMMAND')).toBeUndefined()
})
