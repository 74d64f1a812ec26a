// The load itself, open-loop: a message is due at its time whatever became of those before, as on the Internet. The
// order of the kinds and what they hold follow from the seed; when their answers come does not.
// Ends when the time is over, or `signal` says so, and every attempt that was begun has its answer.
import { setTimeout as sleep } from 'node:timers/promises'
import { type Account, openBook } from './account.ts'
import { attempt, type Errand, type Server } from './attempt.ts'
import { messageFor, SENDER } from './messages.ts'
import { type Expectations, type Kind, kindAt, type Mix } from './mix.ts'
import { createRandom, type Random } from './random.ts'

export type LoadOptions = Readonly<{
  server: Server
  tls: boolean
  /** Where users log in; needed for the kinds auth and submit. */
  submission?: Server | undefined
  login?: Readonly<{ user: string; password: string }> | undefined
  to: string
  mix: Mix
  expected: Expectations
  /** Messages per second, and for how long, in milliseconds. */
  rate: number
  duration: number
  seed: number
  /** Octets of a big message; milliseconds that a slow one takes. */
  big: number
  slow: number
  /** A greylisted sender comes back after so many milliseconds, so often. */
  retryAfter: number
  retries: number
  /** Milliseconds for one attempt. */
  patience: number
  signal?: AbortSignal
  onProgress?(progress: Progress): void
}>

export type Progress = Readonly<{
  /** From 0 to 1, of the time. */
  part: number
  sent: number
  accepted: number
  refused: number
  unanswered: number
  /** Waiting for their answer. */
  open: number
}>

const PROGRESS_INTERVAL = 250

export async function runLoad(options: LoadOptions): Promise<Account> {
  const { mix, rate, duration, seed, expected, retries, retryAfter, signal, onProgress } = options
  const random = createRandom(seed)
  const book = openBook(expected)
  const running = new Set<Promise<void>>()
  const startedAt = performance.now()

  async function one(kind: Kind, errand: Errand, due: number): Promise<void> {
    for (let tries = 0, at = due; ; tries++) {
      const entry = book.begin(kind, at)
      const answer = await attempt(errand)
      entry.answered(answer)
      const again = kind === 'greylist' && Math.floor((answer.code ?? 0) / 100) === 4 && tries < retries
      if (!again) return book.settle(kind, answer)
      at = performance.now() + retryAfter
      await sleep(retryAfter)
    }
  }

  const tell = () => {
    const { sent, accepted, refused, unanswered } = book.counts()
    const part = Math.min(1, (performance.now() - startedAt) / duration)
    onProgress?.({ part, sent, accepted, refused, unanswered, open: sent - accepted - refused - unanswered })
  }
  const progress = setInterval(tell, PROGRESS_INTERVAL)
  try {
    const total = Math.max(1, Math.round((rate * duration) / 1000))
    for (let n = 0; n < total && !signal?.aborted; n++) {
      const due = startedAt + (n * 1000) / rate
      const wait = due - performance.now()
      if (wait > 0) await sleep(wait, undefined, signal ? { signal } : {}).catch(() => {})
      if (signal?.aborted) break
      const kind = kindAt(mix, random.fraction())
      const message = one(kind, errandFor(kind, n, random, options), due).finally(() => running.delete(message))
      running.add(message)
    }
    await Promise.all(running)
  } finally {
    clearInterval(progress)
  }
  tell()
  return book.close()
}

function errandFor(kind: Kind, n: number, random: Random, options: LoadOptions): Errand {
  const { server, tls, submission, login, to, big, slow, patience } = options
  const domain = to.slice(to.lastIndexOf('@') + 1)
  const name = () => Math.floor(random.fraction() * 1e9).toString(36)
  const recipient = kind === 'unknown' ? `nobody-${name()}@${domain}` : to
  const mail = messageFor({ kind, recipient, big, random, now: Date.now() })
  const from = kind === 'greylist' ? `stranger-${n}-${name()}@sender.example` : SENDER
  const common = { from, to: recipient, mail, slow: kind === 'slow' ? slow : 0, patience }
  if (kind !== 'auth' && kind !== 'submit') return { ...common, server, tls }
  // A guess for a real user would lock that user out.
  const guess = { user: `nobody-${name()}`, password: `wrong-${name()}` }
  return { ...common, server: submission ?? server, tls: true, auth: kind === 'auth' ? guess : login }
}
