// An SQS queue of wake-ups: about in order, any number of requests, but only so many messages in flight. What was received
// is hidden until it is removed or its time is over. Each task gathers what it sends, hides and removes by the gateway's
// own batcher, on virtual time. Jobs whose wake-up is removed although they are not done do not exist here.
import { JOB_QUEUE } from '../src/storage/aws-schema.ts'
import { createBatcher, type Timers } from '../src/storage/batch-sqs.ts'
import { MOST_RECEIVED } from '../src/storage/wake-ups-sqs.ts'
import type { Clock, Timer } from './clock.ts'
import { countOf, type Usage } from './meter.ts'
import { createLine, type Process } from './process.ts'
import { type Chance, latency } from './random.ts'
import type { Latencies, Quotas } from './services.ts'

/** What hides a message: whichever of them is the last. */
type Hold<M> = Readonly<{ message: M; until: number }>

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

type Receive = { isOver: boolean; readonly until: number; end(): void }

type Parts = Readonly<{ clock: Clock; chance: Chance; quotas: Pick<Quotas, 'inFlight'>; latencies: Latencies }>

export function createQueue<M>({ clock, chance, quotas, latencies }: Parts): Queue<M> {
  const messages = createLine<M>()
  /** Receives that wait for a message, all of them for the same time: hardly any of them until it is over. */
  const waiting = createLine<Receive>()
  let patience: Timer | undefined
  const held = new Map<M, Hold<M>>()
  /** Of messages as they were received: all are hidden for the same time, and hardly any of them comes back. */
  const received = createLine<Hold<M>>()
  let watch: Timer | undefined
  const timers: Timers = {
    set: (run, milliseconds) => clock.after(milliseconds, run),
    clear: timer => clock.cancel(timer as Timer),
  }
  let [all, batches, entries, refused, most] = [0, 0, 0, 0, 0]

  function add(...more: readonly M[]): void {
    for (const message of more) messages.push(message)
    while (messages.length() > 0) {
      const next = waiting.shift()
      if (next === undefined) return
      if (!next.isOver) next.end()
    }
  }

  function hide(message: M, milliseconds: number): Hold<M> {
    const hold = { message, until: clock.now() + milliseconds }
    held.set(message, hold)
    return hold
  }

  function hideAgain(message: M, milliseconds: number): void {
    const hold = hide(message, milliseconds)
    clock.after(milliseconds, () => comeBack(hold))
  }

  function comeBack(hold: Hold<M>): void {
    if (held.get(hold.message) !== hold) return
    held.delete(hold.message)
    add(hold.message)
  }

  function watchReceived(): void {
    watch = undefined
    for (let hold = received.first(); hold !== undefined; hold = received.first()) {
      const isHeld = held.get(hold.message) === hold
      if (isHeld && hold.until > clock.now()) {
        watch = clock.after(hold.until - clock.now(), watchReceived)
        return
      }
      received.shift()
      comeBack(hold)
    }
  }

  /** Of up to ten entries; SQS answers after a while, and what it does is done then. */
  function batcher<E>(act: (entries: readonly E[]) => void): (entry: E) => Promise<void> {
    const send = createBatcher<{ of: E }>(batch => {
      all++
      batches++
      entries += batch.length
      return new Promise(resolve => {
        clock.after(latency(chance, latencies.send), () => {
          act(batch.map(({ of }) => of))
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
      received.push(hide(message, JOB_QUEUE.visibilityTimeout * 1000))
    }
    if (watch === undefined) watchReceived()
    most = Math.max(most, held.size)
    return picked
  }

  function endReceives(): void {
    patience = undefined
    for (let one = waiting.first(); one !== undefined; one = waiting.first()) {
      if (!one.isOver && one.until > clock.now()) {
        patience = clock.after(one.until - clock.now(), endReceives)
        return
      }
      waiting.shift()
      if (!one.isOver) one.end()
    }
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
        function end(): void {
          place.isOver = true
          go()
        }
        const place = { isOver: false, until: clock.now() + JOB_QUEUE.waitTime * 1000, end }
        waiting.push(place)
        if (patience === undefined) endReceives()
      }
    }
    return pick(Math.min(max, MOST_RECEIVED))
  }

  return {
    connect: () => {
      const remove = batcher<M>(gone => {
        for (const message of gone) held.delete(message)
      })
      const later = batcher<Readonly<{ message: M; milliseconds: number }>>(all => {
        for (const { message, milliseconds } of all) if (held.has(message)) hideAgain(message, milliseconds)
      })
      return {
        send: batcher<M>(all => add(...all)),
        receive,
        remove,
        later: (message, milliseconds) => later({ message, milliseconds }),
      }
    },
    visible: messages.length,
    requests: () => ({ all, batches, entries }),
    refused: () => refused,
    usage: name => countOf(name, 'messages', quotas.inFlight, most, refused),
  }
}
