// Honest clients: each sends a message after the other, with a pause, half of them by STARTTLS, and takes the time of
// every reply. One that is told to come back later, or is cut off, does come back. As a program:
// `node test/bench/honest.ts PORT CLIENTS SECONDS`, which prints the result.
import { setTimeout as sleep } from 'node:timers/promises'
import { startTalk, type Talk } from './talk.ts'

export type Honest = Readonly<{
  /** The subjects of what was accepted. */
  accepted: readonly string[]
  /** Attempts that were put off or cut off, by what was heard last. */
  again: readonly string[]
  /** Of every reply, milliseconds, in order. */
  replies: readonly number[]
  /** The longest of them, by what was said before. */
  longest: Readonly<Record<string, number>>
}>

export const HONEST_RECIPIENT = 'honest@example.test'
const PAUSE = 100
const BODY = 'An honest line of an honest message to somebody who waits for it.\r\n'.repeat(75)

/** Resolves when the last message that was begun within `seconds` was accepted. */
export async function sendHonestly(port: number, clients: number, seconds: number): Promise<Honest> {
  const [accepted, again, replies] = [[] as string[], [] as string[], [] as number[]]
  const longest: Record<string, number> = {}
  const end = performance.now() + seconds * 1000

  async function client(name: number): Promise<void> {
    for (let n = 0; performance.now() < end; n++) {
      const subject = `honest ${name} ${n}`
      for (;;) {
        const refused = await send(subject, name % 2 === 0)
        if (refused === undefined) break
        again.push(refused)
        await sleep(PAUSE)
      }
      accepted.push(subject)
      await sleep(PAUSE)
    }
  }

  /** Undefined when it was accepted, else what was heard last. */
  async function send(subject: string, secure: boolean): Promise<string | undefined> {
    const begun = performance.now()
    const talk = await startTalk(port)
    try {
      return await converse(talk, subject, secure, begun)
    } finally {
      talk.close()
    }
  }

  async function converse(talk: Talk, subject: string, secure: boolean, begun: number): Promise<string | undefined> {
    let heard = await timed('connect', begun, talk.reply())
    const ask = async (line: string) => {
      heard = await timed(line.slice(0, 4), performance.now(), talk.ask(line))
      return /^[23]/.test(heard)
    }
    if (!heard.startsWith('220') || !(await ask('EHLO client.example.org'))) return heard || 'cut off'
    if (secure) {
      if (!(await ask('STARTTLS')) || !(await timed('handshake', performance.now(), talk.startTls())))
        return heard || 'cut off'
      if (!(await ask('EHLO client.example.org'))) return heard || 'cut off'
    }
    const content = `From: <sender@example.org>\r\nTo: <${HONEST_RECIPIENT}>\r\nSubject: ${subject}\r\n\r\n${BODY}.`
    for (const line of ['MAIL FROM:<sender@example.org>', `RCPT TO:<${HONEST_RECIPIENT}>`, 'DATA', content]) {
      if (!(await ask(line))) return heard || 'cut off'
    }
    await ask('QUIT')
    return undefined
  }

  async function timed<T>(said: string, begun: number, answer: Promise<T>): Promise<T> {
    const what = await answer
    const time = performance.now() - begun
    replies.push(time)
    longest[said] = Math.max(longest[said] ?? 0, time)
    return what
  }

  await Promise.all(Array.from({ length: clients }, (_, name) => client(name)))
  return { accepted, again, replies: replies.sort((a, b) => a - b), longest }
}

if (process.argv[1] === import.meta.filename) {
  const [port, clients, seconds] = process.argv.slice(2).map(Number) as [number, number, number]
  process.stdout.write(`${JSON.stringify(await sendHonestly(port, clients, seconds))}\n`)
  process.exit()
}
