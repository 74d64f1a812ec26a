// What goes out behind DATA: octet by octet, whole or not at all.
import { afterEach, describe, expect, test } from 'vitest'
import { contentOf, deliverOnce, told } from './messages.ts'
import { type NextHop, type Script, startNextHop } from './next-hop.ts'

let hop: NextHop
afterEach(() => hop.close())
const start = async (script?: Script) => {
  hop = await startNextHop(script)
}
const deliver = (options: Omit<Parameters<typeof deliverOnce>[0], 'to'> = {}) =>
  deliverOnce({ to: hop.url, ...options })

const three = ['a@example.com', 'b@example.com', 'c@example.com']

describe('the content', () => {
  const wireOf = async (text: string | Buffer, chunkSize?: number) => {
    await start()
    await deliver({ content: contentOf(text, chunkSize) })
    return hop.messages[0]!
  }

  test.each([
    ['leading dots and lone dots', 'Subject: x\r\n\r\n.\r\n..\r\n.a\r\na.\r\n\r\n.\r\n'],
    ['every octet beyond ASCII', Buffer.concat([Buffer.from('A: b\r\n\r\n'), allOctets(), Buffer.from('\r\n')])],
    ['no body', 'Subject: x\r\n\r\n'],
    ['no empty line', 'Subject: x\r\n'],
    ['nothing at all', ''],
    ['no header', '\r\nHello\r\n'],
  ])('goes through octet by octet: %s', async (_, text) => {
    const { content } = await wireOf(text, 3)
    expect(content.subarray(content.length - Buffer.byteLength(text))).toEqual(Buffer.from(text as string))
  })

  test('gets a CRLF at its end when it has none', async () => {
    const { wire } = await wireOf('Subject: x\r\n\r\nHello')
    expect(wire.toString().endsWith('\r\n\r\nHello\r\n.\r\n')).toBe(true)
  })

  test('of 20 MB goes through', async () => {
    const line = Buffer.from(`.${'x'.repeat(70)}\r\n`)
    const body = Buffer.concat([Buffer.from('Subject: big\r\n\r\n'), ...Array(280_000).fill(line)])
    await start()
    await deliver({ content: contentOf(body) })
    expect(hop.messages[0]!.content.subarray(-body.length).equals(body)).toBe(true)
  })

  test('that cannot be read to its end is never given a final dot', async () => {
    await start()
    const content = {
      size: 1000,
      async *chunks() {
        yield Buffer.from('Subject: half\r\n\r\nHalf of')
        throw new Error('the disk is gone')
      },
    }
    expect(told(await deliver({ content, recipients: three }))).toEqual(three.map(() => 'deferred: the disk is gone'))
    await expect.poll(() => hop.open.size).toBe(0)
    expect(hop.messages).toEqual([])
  })
})

describe('a reply while the content is still going out', () => {
  const big = contentOf(Buffer.concat([Buffer.from('A: b\r\n\r\n'), Buffer.alloc(8_000_000, 'x\r\n')]))

  test('552 and a close fail the recipients', async () => {
    await start({ interrupt: { after: 1, action: '552 5.3.4 Too big' }, cutAfterReceiving: 100_000 })
    expect(told(await deliver({ content: big }))).toEqual(['failed: 552 5.3.4 Too big'])
    expect(hop.messages).toEqual([])
  })

  test('keeps the final dot back, also of a content that is a single piece', async () => {
    await start({ data: '354 Go on\r\n554 5.7.1 On second thoughts, no' })
    expect(told(await deliver())).toEqual(['failed: 554 5.7.1 On second thoughts, no'])
    await expect.poll(() => hop.open.size).toBe(0)
    expect(hop.messages).toEqual([])
  })

  test('ends the sending at once, not when the content is over', async () => {
    await start({ data: '354 Go on\r\n552 5.3.4 Too big' })
    let octets = 0
    const long = {
      size: 100_000_000,
      async *chunks() {
        for (; octets < 100_000_000; octets += 64_000) yield Buffer.alloc(64_000, 'x\r\n')
      },
    }
    expect(told(await deliver({ content: long }))).toEqual(['failed: 552 5.3.4 Too big'])
    expect(octets).toBeLessThan(10_000_000)
  })

  test('250 is nonsense', async () => {
    await start({ interrupt: { after: 1, action: '250 2.0.0 Fine' } })
    const [outcome] = told(await deliver({ content: big }))
    expect(outcome).toMatch(/^deferred: a reply before the end of the content: 250/)
    expect(hop.messages).toEqual([])
  })
})

function allOctets(): Buffer {
  return Buffer.from(Array.from({ length: 256 }, (_, octet) => octet).filter(octet => octet !== 10 && octet !== 13))
}
