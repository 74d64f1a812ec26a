// The queues of wake-ups that one worker listens to, a line for each priority, and whose turn it is among what has come.
// Every empty line has one long poll open, so that an idle worker hears of a job at once and costs three requests in
// twenty seconds. What came and is not wanted goes back after a moment, so that no worker sits on another's work.
// A receive is never cut off: what it got would be hidden from everybody. So `close` waits for the open polls.
import { setTimeout as pause } from 'node:timers/promises'
import { turnsOfAge } from './turns.ts'
import type { WakeUp, WakeUpQueue } from './wake-ups-sqs.ts'

export type WakeUpLines = Readonly<{
  /** Up to `max`, as soon as there is one; none once `signal` is aborted. Rejects when it cannot be asked for any. */
  take(max: number, signal: AbortSignal): Promise<WakeUp[]>
  /** Waits for the polls that are open and gives back what they bring. */
  close(): Promise<void>
}>

export type LineTimes = Readonly<{
  /** How long others may be waited for when something has come, milliseconds: a more urgent line may be as quick. */
  gather: number
  /** How long what came may lie here unwanted. */
  hold: number
  /** Between polls of empty lines; 0 where the polls themselves wait. */
  pause: number
}>

type Line = {
  queue: WakeUpQueue
  here: WakeUp[]
  /** The poll that is open: its number, and when it was begun. */
  open: { number: number; since: number } | undefined
  /** The number of the last poll that was answered. */
  answered: number
  failure: unknown
}

/** `queues`: the most urgent first. */
export function createWakeUpLines(queues: readonly WakeUpQueue[], times: LineTimes): WakeUpLines {
  const lines = queues.map((queue): Line => ({ queue, here: [], open: undefined, answered: 0, failure: undefined }))
  const polls = new Set<Promise<void>>()
  let polled = 0
  let turn = 0
  let takers = 0
  let closed = false
  let news = Promise.withResolvers<void>()
  let holding: NodeJS.Timeout | undefined

  function poll(line: Line, max: number) {
    if (line.open !== undefined || line.here.length > 0) return
    const number = ++polled
    line.open = { number, since: performance.now() }
    const done = ask(line, max).finally(() => {
      line.open = undefined
      line.answered = number
      polls.delete(done)
      news.resolve()
      news = Promise.withResolvers()
      if (takers === 0) letGoSoon()
    })
    polls.add(done)
  }

  async function ask(line: Line, max: number): Promise<void> {
    try {
      line.here.push(...(await line.queue.receive(max)))
      line.failure = undefined
    } catch (error) {
      line.failure = error
    }
  }

  /** Whoever is not wanted here any more. */
  function letGoSoon() {
    clearTimeout(holding)
    if (!closed) holding = setTimeout(letGo, times.hold)
    holding?.unref()
  }

  function letGo(): Promise<unknown> {
    const back = lines.flatMap(line => line.here.splice(0))
    return Promise.allSettled(back.map(wakeUp => wakeUp.queue.later(wakeUp, 0)))
  }

  function pick(max: number): WakeUp[] {
    const count = Math.min(
      max,
      lines.reduce((sum, { here }) => sum + here.length, 0),
    )
    const byAge = turnsOfAge(turn, count)
    turn += count
    return Array.from({ length: count }, (_, n) => (n < byAge ? takeOldest() : takeUrgent()))
  }

  function takeUrgent(): WakeUp {
    return lines.find(({ here }) => here.length > 0)!.here.shift()!
  }

  function takeOldest(): WakeUp {
    const oldest = lines.flatMap(({ here }) => here).reduce((a, b) => (b.enqueuedAt < a.enqueuedAt ? b : a))
    const line = lines.find(({ here }) => here.includes(oldest))!
    line.here.splice(line.here.indexOf(oldest), 1)
    return oldest
  }

  /** Milliseconds until the lines that may still bring something have had their chance; `since`: the poll before. */
  function stillToCome(since: number): number {
    const chances = lines.map(({ here, open, answered }) => {
      if (here.length > 0 || answered > since || open === undefined) return 0
      return times.gather - (performance.now() - open.since)
    })
    return Math.max(...chances)
  }

  async function waitFor(signal: AbortSignal, milliseconds?: number): Promise<void> {
    const over = new AbortController()
    const ended = AbortSignal.any([signal, over.signal])
    const gone = new Promise<void>(resolve => ended.addEventListener('abort', () => resolve(), { once: true }))
    const time = milliseconds === undefined ? [] : [pause(milliseconds, undefined, { signal: ended }).catch(() => {})]
    await Promise.race([news.promise, gone, ...time])
    over.abort()
  }

  return {
    async take(max, signal) {
      const since = polled
      takers++
      clearTimeout(holding)
      try {
        while (!signal.aborted) {
          if (closed) throw new Error('the job queue is closed')
          for (const line of lines) poll(line, max)
          const isHere = lines.some(({ here }) => here.length > 0)
          const wait = stillToCome(since)
          if (isHere && wait <= 0) return pick(max)
          await waitFor(signal, isHere ? wait : undefined)
          const failed = lines.find(({ failure }) => failure !== undefined)
          if (failed !== undefined && lines.every(({ here }) => here.length === 0)) {
            const { failure } = failed
            failed.failure = undefined
            throw failure
          }
          const isIdle = lines.every(({ here, open }) => here.length === 0 && open === undefined)
          if (isIdle && times.pause > 0) await pause(times.pause, undefined, { signal }).catch(() => {})
        }
        return []
      } finally {
        takers--
        if (takers === 0) letGoSoon()
      }
    },

    async close() {
      closed = true
      clearTimeout(holding)
      await Promise.all(polls)
      await letGo()
    },
  }
}
