// Whoever comes, with whatever names: the number of series stays what it was. Over a real listener, each command
// answered: 100,000 HELO names, senders and recipients in pipelined sessions, 10,000 clients named by XCLIENT, and 4,000
// whole messages, each with a Message-ID of its own, accepted.
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { expect, test } from 'vitest'
import { silentLog } from '../../src/platform/log.ts'
import { type Plugin, pass } from '../../src/plugins/plugin.ts'
import { start } from './start.ts'

const STRANGERS = 100_000
/** One of so many sends a message: who never does is a nuisance, and is slowed down. */
const PER_MESSAGE = 25
/** And of so many is another client. */
const PER_CLIENT = 10
const CONNECTIONS = 5

const nth = (n: number) => Math.floor(n / CONNECTIONS)
const sends = (n: number) => nth(n) % PER_MESSAGE === 0
const isNamed = (n: number) => nth(n) % PER_CLIENT === 1

/** What a stranger says. */
function dialogueOf(n: number): string {
  const address = `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`
  const lines = [
    `EHLO helo-${n}.example`,
    `MAIL FROM:<sender-${n}@from-${n}.example>`,
    `RCPT TO:<recipient-${n}@example.com>`,
  ]
  if (isNamed(n)) lines.unshift('RSET', `XCLIENT ADDR=${address} NAME=host-${n}.example`)
  if (sends(n)) lines.push('DATA', `Message-ID: <${n}@id.example>`, `Subject: ${n}`, '', 'Hi', '.')
  return `${lines.join('\r\n')}\r\n`
}

/** Sends it all, a thousand strangers at a time, and counts the replies by their code. */
async function converse(port: number, strangers: readonly number[]): Promise<Record<string, number>> {
  const socket = createConnection({ host: '127.0.0.1', port })
  const codes: Record<string, number> = {}
  let unread = ''
  let replies = 0
  socket.setEncoding('latin1').on('data', (text: string) => {
    const lines = (unread + text).split('\r\n')
    unread = lines.pop()!
    for (const line of lines) {
      if (line[3] === '-') continue
      const code = line.slice(0, 3)
      codes[code] = (codes[code] ?? 0) + 1
      replies++
    }
    socket.emit('replies')
  })
  let due = 1
  for (let from = 0; from < strangers.length; from += 1000) {
    const some = strangers.slice(from, from + 1000)
    const text = some.map(dialogueOf).join('')
    due += 3 * some.length + 2 * (some.filter(isNamed).length + some.filter(sends).length)
    socket.write(text)
    while (replies < due) await once(socket, 'replies')
  }
  socket.destroy()
  return codes
}

test('100,000 strangers add no series', async () => {
  let asked = 0
  const ask = () => {
    asked++
    return pass
  }
  const plugin: Plugin = { connect: ask, sender: ask, recipient: ask, message: ask }
  const { port, metric, metrics } = await start({ plugin, xclient: ['127.0.0.1/32'], log: silentLog })
  const series = async () => (await metrics.registry.metrics()).split('\n').filter(line => /^[a-z]/.test(line)).length
  await converse(port, [0, 1, CONNECTIONS])
  const before = await series()
  expect(before).toBeGreaterThan(300)

  const numbers = Array.from({ length: STRANGERS }, (_, n) => n)
  const shares = Array.from({ length: CONNECTIONS }, (_, share) => numbers.filter(n => n % CONNECTIONS === share))
  const codes = await Promise.all(shares.map(share => converse(port, share)))

  const messages = STRANGERS / PER_MESSAGE
  const replies = (code: string) => codes.reduce((sum, counted) => sum + (counted[code] ?? 0), 0)
  expect(replies('220')).toBe(CONNECTIONS + STRANGERS / PER_CLIENT)
  expect(replies('250')).toBe(3 * STRANGERS + STRANGERS / PER_CLIENT + messages)
  expect(replies('354')).toBe(messages)
  expect(asked).toBeGreaterThan(2 * STRANGERS)
  expect(await metric('elemta_messages_received_total')).toBe(messages + 2)
  expect(await series()).toBe(before)
  expect((await metrics.registry.metrics()).length).toBeLessThan(200_000)
}, 60_000)
