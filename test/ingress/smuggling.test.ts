// SMTP smuggling: whatever stands around a lone dot, only CRLF.CRLF ends DATA. Each pair of line ends is sent, with a
// second transaction hidden behind it, and what was accepted is delivered to a next hop that keeps every octet.
import { describe, expect, onTestFinished, test } from 'vitest'
import { contentOf, deliverOnce, told } from '../deliver/messages.ts'
import { startNextHop } from '../deliver/next-hop.ts'
import { type Dialogue, inData } from './dialogue.ts'
import { start } from './start.ts'

const ENDS = {
  CRLF: '\r\n',
  LF: '\n',
  CR: '\r',
  CRCRLF: '\r\r\n',
  LFCR: '\n\r',
  LFLF: '\n\n',
  CRCR: '\r\r',
  NUL: '\0',
  'NUL CRLF': '\0\r\n',
  'CRLF NUL': '\r\n\0',
  'CR NUL LF': '\r\0\n',
  'LF SP': '\n ',
} as const

const SMUGGLED = 'MAIL FROM:<evil@b.test>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\nsmuggled\r\n'

const around = Object.entries(ENDS).flatMap(([before, first]) => {
  return Object.entries(ENDS).map(([after, second]) => ({ name: `${before} . ${after}`, first, second }))
})
const isEnd = ({ first, second }: (typeof around)[number]) => first.endsWith('\r\n') && second.startsWith('\r\n')
const harmless = around.filter(pair => !isEnd(pair))
/** Two dots are not one, neither before nor behind a line end that is none. */
const dots = [
  { name: 'LF .. CRLF', first: '\n', dot: '..', second: '\r\n' },
  { name: 'CRLF .. CRLF', first: '\r\n', dot: '..', second: '\r\n' },
  { name: 'CRLF . SP CRLF', first: '\r\n', dot: '. ', second: '\r\n' },
]

const ways = [
  ['at once', async (client: Dialogue, octets: string) => client.send(octets)],
  ['byte-wise', (client: Dialogue, octets: string) => client.sendBytewise(octets)],
] as const

/** What was told to the next hop for this content, and the commands that it heard. */
async function relayed(content: Buffer) {
  const hop = await startNextHop()
  onTestFinished(() => hop.close())
  expect(told(await deliverOnce({ to: hop.url, content: contentOf(content, 7) }))).toEqual([
    expect.stringMatching(/^delivered: 250 /),
  ])
  return { messages: hop.messages, commands: hop.connections.flat() }
}

describe.each(ways)('sent %s', (_, send) => {
  test.each([...harmless, ...dots])('$name is no end: one message, one reply', async pair => {
    const { first, second } = pair
    const { port, accepted, isEmpty, metric } = await start()
    const client = await inData(port)
    const octets = `first${first}${'dot' in pair ? pair.dot : '.'}${second}${SMUGGLED}`
    await send(client, `${octets}.\r\nNOOP\r\nQUIT\r\n`)
    const reply = await client.reply()
    expect(await client.reply()).toBe('250 2.0.0 Ok')
    expect(await client.reply()).toMatch(/^221 /)
    expect(await client.closed()).toBe('')

    // A CR that is no part of CRLF and a NUL cannot be repaired.
    if (/\r(?!\n)|\0/.test(octets)) {
      expect(reply).toMatch(/^550 5\.6\.(?:0|11) /)
      expect(isEmpty()).toBe(true)
      expect(await metric('elemta_messages_rejected_total{stage="data"}')).toBe(1)
      return
    }
    expect(reply).toMatch(/^250 2\.0\.0 Ok: queued/)
    expect(accepted()).toHaveLength(1)
    const content = accepted()[0]!.content.toString('latin1')
    expect(content).not.toMatch(/(?<!\r)\n|\r(?!\n)|\0/)
    expect(content).toContain('smuggled')

    const { messages, commands } = await relayed(accepted()[0]!.content)
    expect(commands.filter(line => /^(?:MAIL|RCPT|DATA)/.test(line))).toHaveLength(3)
    expect(messages).toHaveLength(1)
    const wire = messages[0]!.wire.toString('latin1')
    expect(wire).not.toMatch(/(?<!\r)\n|\r(?!\n)|\0/)
    expect(wire.indexOf('\r\n.\r\n')).toBe(wire.length - 5)
    expect(messages[0]!.content.toString('latin1').endsWith(content)).toBe(true)
  })
})

test.each(harmless)('$name is refused under bareNewline: reject', async ({ first, second }) => {
  const { port, isEmpty } = await start({ bareNewline: 'reject' })
  const client = await inData(port)
  client.send(`first${first}.${second}${SMUGGLED}.\r\nNOOP\r\n`)
  expect(await client.reply()).toMatch(/^550 5\.6\.(?:0|11) /)
  expect(await client.reply()).toBe('250 2.0.0 Ok')
  expect(isEmpty()).toBe(true)
})

test.each(around.filter(pair => isEnd(pair) && /\r\r|\0/.test(pair.first + pair.second)))(
  '$name ends DATA at its CRLF.CRLF, and the message is refused',
  async ({ first, second }) => {
    const { port, isEmpty } = await start()
    const client = await inData(port)
    client.send(`first${first}.${second}NOOP\r\n`)
    const refused = /\r\r|\0/.test(first) ? /^550 5\.6\.(?:0|11) / : /^250 /
    expect(await client.reply()).toMatch(refused)
    expect(isEmpty()).toBe(/\r\r|\0/.test(first))
    // What stands behind the end of DATA is a command line, and one that holds a NUL or a CR is refused.
    expect(await client.reply()).toMatch(/\0/.test(second) ? /^500 5\.5\.2 / : /^250 2\.0\.0 Ok$/)
  },
)
