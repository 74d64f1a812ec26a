// What a mail server on the Internet has to bear, by name: each takes one connection and does its worst with it for as
// long as it is let. Loops, guesses and bombs go on until the server ends them; who only holds the connection gives up
// after HOLD milliseconds, so that a flood comes to a steady state.
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import type { Talk } from './talk.ts'

export type Kind = Readonly<{
  name: string
  /** Which listener; `proxied` comes from a load balancer's address. */
  at: 'mx' | 'submission' | 'submissions' | 'proxied'
  attack(talk: Talk): Promise<unknown>
}>

/** Exists, in the domain that mail is taken for. */
export const TARGET = 'target@example.test'
const HOLD = 15_000
const MEGABYTE = 1_000_000
const LOOPS = 5000

const line = (text: string, times: number) => `${text}\r\n`.repeat(times)
const header = 'From: <a@example.org>\r\nTo: <target@example.test>\r\nSubject: abuse\r\n'
const gzip = gzipSync(Buffer.alloc(20 * MEGABYTE))
  .toString('base64')
  .replaceAll(/.{76}/g, '$&\r\n')
const part = (n: number) => `Content-Type: multipart/mixed; boundary=b${n}\r\n\r\n--b${n}\r\n`
const mimeBomb = Array.from({ length: 1000 }, (_, n) => part(n)).join('')
const clientHello = Buffer.from('16030101fc010001f80303', 'hex')

export const KINDS: readonly Kind[] = [
  mx('reset at once', async talk => talk.reset()),
  mx('silence', talk => talk.stay(HOLD)),
  mx('slow command', talk => drip(talk, 'E', 1000)),
  mx('slow data', async talk => (await inData(talk)) && drip(talk, 'x', 1000)),
  mx('slow dot bomb', async talk => (await inData(talk)) && drip(talk, '\r\n..', 20)),
  mx('replies never read', async talk => {
    talk.stopReading()
    talk.say(line('EHLO client.example.org', 20_000))
    await talk.stay(HOLD)
  }),
  mx('NOOP loop', talk => loop(talk, ['NOOP'])),
  mx('RSET loop', talk => loop(talk, ['MAIL FROM:<a@example.org>', 'RSET'])),
  mx('syntax errors', talk => loop(talk, ['GET / HTTP/1.1', 'MAIL FROM', '\0\x01\xff'])),
  mx('endless command line', async talk => {
    talk.say('A'.repeat(MEGABYTE))
    await talk.stay(HOLD)
  }),
  mx('endless header line', talk => send(talk, `${header}X: ${'a'.repeat(MEGABYTE)}\r\n\r\n`)),
  mx('header bomb', talk => send(talk, `${header}${line('X-Bomb: a', 20_000)}\r\n`)),
  mx('recipient guesses', async talk => {
    await greeted(talk)
    await talk.ask('MAIL FROM:<a@example.org>')
    for (let n = 0; n < LOOPS && (await talk.ask(`RCPT TO:<user${n}@example.test>`)) !== ''; n++);
  }),
  mx('recipient bomb', async talk => {
    await greeted(talk)
    talk.say(`MAIL FROM:<a@example.org>\r\n${line(`RCPT TO:<${TARGET}>`, 1000)}DATA\r\n`)
    await talk.stay(1000)
  }),
  mx('mail loop', talk =>
    send(talk, `${line('Received: from a by b; Thu, 01 Jan 2026 09:00:00 +0000', 200)}${header}\r\n`),
  ),
  mx('MIME bomb', talk => send(talk, header + mimeBomb)),
  mx('gzip bomb', talk =>
    send(
      talk,
      `${header}Content-Type: application/gzip; name=a.gz\r\nContent-Transfer-Encoding: base64\r\n\r\n${gzip}\r\n`,
    ),
  ),
  mx('oversize', async talk => (await inData(talk)) && flood(talk, Buffer.from(line('x'.repeat(998), 250)), 40)),
  mx('smuggling', async talk => {
    if (!(await inData(talk))) return
    const hidden = 'MAIL FROM:<admin@example.test>\r\nRCPT TO:<target@example.test>\r\nDATA\r\nsmuggled\r\n'
    for (const end of ['\n.\n', '\r.\r', '\n.\r\n', '\r\n.\n', '\r\n\0.\r\n']) talk.say(`${header}\r\na${end}${hidden}`)
    talk.say('\r\n.\r\n')
    await talk.stay(1000)
  }),
  mx('NUL and bare CR', talk => send(talk, `${header}\r\n${'\0\r'.repeat(10_000)}\r\n`)),
  mx('reset in DATA', async talk => {
    if (await inData(talk)) talk.say(`${header}\r\n${line('x'.repeat(70), 1000)}`)
    await talk.stay(50)
    talk.reset()
  }),
  mx('gone before the reply', async talk => {
    if (await inData(talk)) talk.say(`${header}\r\nwill you send it twice?\r\n.\r\n`)
    await sleep(1)
    talk.reset()
  }),
  mx('half a TLS handshake', async talk => {
    await greeted(talk)
    await talk.ask('STARTTLS')
    talk.say(clientHello)
    await talk.stay(HOLD)
  }),
  {
    name: 'no TLS at all',
    at: 'submissions',
    async attack(talk) {
      talk.say(randomBytes(1000))
      await talk.stay(HOLD)
    },
  },
  mx('handshake, then reset', async talk => {
    await greeted(talk)
    await talk.ask('STARTTLS')
    await talk.startTls()
    talk.reset()
  }),
  {
    name: 'password guesses',
    at: 'submission',
    async attack(talk) {
      await greeted(talk)
      await talk.ask('STARTTLS')
      if (!(await talk.startTls())) return
      await talk.ask('EHLO client.example.org')
      const guess = () => Buffer.from(`\0user\0${randomBytes(6).toString('hex')}`).toString('base64')
      for (let n = 0; n < LOOPS && (await talk.ask(`AUTH PLAIN ${guess()}`)) !== ''; n++);
    },
  },
  {
    name: 'PROXY garbage',
    at: 'proxied',
    async attack(talk) {
      talk.say('PROXY TCP4 300.1.1.1 \xff\xff 99999999 -1\r\nEHLO a\r\n')
      await talk.stay(HOLD)
    },
  },
]

function mx(name: string, attack: Kind['attack']): Kind {
  return { name, at: 'mx', attack }
}

async function greeted(talk: Talk): Promise<void> {
  await talk.reply()
  await talk.ask('EHLO client.example.org')
}

async function inData(talk: Talk): Promise<boolean> {
  await greeted(talk)
  await talk.ask('MAIL FROM:<a@example.org>')
  await talk.ask(`RCPT TO:<${TARGET}>`)
  return (await talk.ask('DATA')).startsWith('354')
}

async function send(talk: Talk, content: string): Promise<void> {
  if (!(await inData(talk))) return
  talk.say(`${content}\r\n.\r\n`)
  await talk.reply()
  await talk.ask('QUIT')
}

async function loop(talk: Talk, commands: readonly string[]): Promise<void> {
  await greeted(talk)
  for (let n = 0; n < LOOPS && (await talk.ask(commands[n % commands.length]!)) !== ''; n++);
}

/** A little at a time. */
async function drip(talk: Talk, octets: string, every: number): Promise<void> {
  const end = performance.now() + HOLD
  while (!talk.isOver() && performance.now() < end) {
    talk.say(octets)
    await talk.stay(every)
  }
}

/** Much at a time. */
async function flood(talk: Talk, octets: Buffer, times: number): Promise<void> {
  for (let n = 0; n < times && !talk.isOver(); n++) {
    talk.say(octets)
    await sleep(10)
  }
  talk.say('\r\n.\r\n')
  await talk.reply()
}
