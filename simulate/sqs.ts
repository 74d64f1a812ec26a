// An SQS queue of wake-ups: about in order, any number of requests, but only so many messages in flight. What was received
// is hidden until it is removed or its time is over. Each task gathers what it sends, hides and removes by the gateway's
// own batcher, on virtual time. Jobs whose wake-up is removed although they are not done do not exist here.
import { JOB_QUEUE } from '../src/storage/aws-schema.ts'
import { createBatcher, type Timers } from '../src/storage/batch-sqs.ts'
import { MOST_RECEIVED } from '../src/storage/wake-ups-sqs.ts'
import type { Clock, Timer } from './clock.ts'
import type { Usage } from './meter.ts'
import { createLine, type Process } from './process.ts'
import { type Chance, latency } from './random.ts'
import type { Latencies, Quotas } from './services.ts'

/** A wake-up; `hidden`: comes back then. */
type Held<M> = Readonly<{ message: M }> & { hidden: Timer }

export type Queue<M> = Readonly<{
  /** A task's own way to the queue, with batchers of its own. */
  connect(): Connection<M>
  visible(): number
  requests(): Readonly<{ all: number; batches: number; entries: number }>
  refused(): number
  usage(name: string): Usage
}>

export type Connection<M> = Readonly<{
  send(message: M): Promise<void>
  /** Up to `max`, when there is one; none when nothing came for as long as a receive waits; undefined: refused. */
  receive(max: number): Process<readonly M[] | undefined>
  remove(message: M): Promise<void>
  later(message: M, milliseconds: number): Promise<void>
}>

type Parts = Readonly<{ clock: Clock; chance: Chance; quotas: Pick<Quotas, 'inFlight'>; latencies: Latencies }>

export function createQueue<M>({ clock, chance, quotas, latencies }: Parts): Queue<M> {
  const messages = createLine<M>()
  const waiting = createLine<{ isOver: boolean; take(): void }>()
  const held = new Map<M, Held<M>>()
  const timers: Timers = {
    set: (run, milliseconds) => clock.after(milliseconds, run),
    clear: timer => clock.cancel(timer as Timer),
  }
  let [all, batches, entries, refused, most] = [0, 0, 0, 0, 0]

  function add(message: M): void {
    messages.push(message)
    let next = waiting.shift()
    while (next?.isOver) next = waiting.shift()
    next?.take()
  }

  function hide(message: M, milliseconds: number): void {
    const back = () => {
      held.delete(message)
      add(message)
    }
    held.set(message, { message, hidden: clock.after(milliseconds, back) })
  }

  function release(message: M): boolean {
    const one = held.get(message)
    if (one === undefined) return false
    clock.cancel(one.hidden)
    return held.delete(message)
  }

  /** Of up to ten entries; SQS answers after a while, and what it does is done then. */
  function batcher<E>(act: (entry: E) => void): (entry: E) => Promise<void> {
    const send = createBatcher<{ of: E }>(batch => {
      all++
      batches++
      entries += batch.length
      return new Promise(resolve => {
        clock.after(latency(chance, latencies.send), () => {
          for (const { of } of batch) act(of)
          clock.settling()
          resolve({})
        })
      })
    }, timers)
    return entry => send({ of: entry })
  }

  function pick(max: number): M[] {
    const picked: M[] = []
    while (picked.length < max && held.size < quotas.inFlight) {
      const message = messages.shift()
      if (message === undefined) break
      picked.push(message)
      hide(message, JOB_QUEUE.visibilityTimeout * 1000)
    }
    most = Math.max(most, held.size)
    return picked
  }

  function* receive(max: number): Process<readonly M[] | undefined> {
    all++
    yield latency(chance, latencies.receive)
    if (held.size >= quotas.inFlight) {
      refused++
      return undefined
    }
    if (messages.length() === 0) {
      yield go => {
        const place = { isOver: false, take: end }
        const timer = clock.after(JOB_QUEUE.waitTime * 1000, end)
        function end(): void {
          place.isOver = true
          clock.cancel(timer)
          go()
        }
        waiting.push(place)
      }
    }
    return pick(Math.min(max, MOST_RECEIVED))
  }

  return {
    connect: () => {
      const remove = batcher<M>(release)
      const later = batcher<{ message: M; milliseconds: number }>(({ message, milliseconds }) => {
        if (release(message)) hide(message, milliseconds)
      })
      return {
        send: batcher<M>(add),
        receive,
        remove,
        later: (message, milliseconds) => later({ message, milliseconds }),
      }
    },
    visible: messages.length,
    requests: () => ({ all, batches, entries }),
    refused: () => refused,
    usage: name => ({ name, unit: 'messages', quota: quotas.inFlight, used: most, refused }),
  }
}
