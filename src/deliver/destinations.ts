// Who may begin an attempt: no mail for a destination in trouble may hold up mail for another one.
// An attempt asks to enter and says how it ended. It is let in, waits in line while others get through, or is put off
// at once: the destination is down, its rate is used up, or it is busy and nobody gets through. Being put off costs no
// connection and is no attempt. A destination that is busy for long may not take all slots: its share of those that
// are free shrinks the more it has.
import type { Rate } from '../platform/config-fields.ts'
import type { Log } from '../platform/log.ts'
import {
  admit,
  type BackOff,
  DEFAULT_BACK_OFF,
  failed,
  type Health,
  newHealth,
  probing,
  succeeded,
  undecided,
} from './destination-health.ts'
import { createSendRate, type SendRate } from './send-rate.ts'

export type PostponeReason = 'down' | 'busy' | 'rate'

/** Come again at `retryAt`, milliseconds since 1970. */
export type Postponed = Readonly<{ kind: 'postponed'; reason: PostponeReason; why: string; retryAt: number }>

/** How an attempt ended. `untold`: nothing was learned about the destination. */
export type Ending = Readonly<{ kind: 'served' | 'untold' } | { kind: 'failed'; why: string }>

export type Entered = Readonly<{ kind: 'entered'; leave(ending: Ending): void }>

export type Destination = Readonly<{
  key: string
  /** For people. */
  name: string
  connections: number
  rate?: Rate | undefined
}>

export type Destinations = Readonly<{
  /** Forgets all trouble: an operator says that it is over. */
  resume(): void
  /** `endBy` is a point of `performance.now()`. Rejects with the signal's reason only. */
  enter(
    destination: Destination,
    attempt: Readonly<{ endBy: number; signal?: AbortSignal | undefined }>,
  ): Promise<Entered | Postponed>
}>

export type DestinationsOptions = Readonly<{
  /** Milliseconds since 1970. */
  now: () => number
  random: () => number
  log: Log
  /** Attempts that there may be at the same time in all. */
  slots: number
  backOff?: Partial<BackOff>
  /** Milliseconds without anybody getting through, after which those in line are put off. */
  stall?: number
  /** Told whenever it changes. */
  onDown(count: number): void
}>

type State = {
  health: Health
  rate: SendRate | undefined
  running: number
  /** When somebody got through, or began while nobody else was there. */
  progressAt: number
  usedAt: number
}

const STALL = 2000
const LONGEST_BUSY = 300_000
const SHARE = 3
/** What nobody used for so long is forgotten, in milliseconds, looked for at this interval. */
const FORGET_AFTER = 3_600_000
const FORGET_EVERY = 60_000

export function createDestinations(options: DestinationsOptions): Destinations {
  const { now, random, log, slots, stall = STALL, onDown } = options
  const backOff = { ...DEFAULT_BACK_OFF, ...options.backOff }
  const states = new Map<string, State>()
  /** Those in line, whoever came first in front; each asks again when somebody leaves. */
  const line = new Set<() => void>()
  let forgotAt = now()
  let running = 0
  let down = 0

  function stateOf({ key, rate }: Destination): State {
    forget()
    const sendRate = rate && createSendRate(rate)
    const fresh = { health: newHealth(backOff), rate: sendRate, running: 0, progressAt: now() }
    const state: State = states.get(key) ?? { ...fresh, usedAt: now() }
    state.usedAt = now()
    states.set(key, state)
    return state
  }

  function forget(): void {
    if (Math.abs(now() - forgotAt) < FORGET_EVERY) return
    forgotAt = now()
    for (const [key, { running, usedAt, health }] of states) {
      if (running > 0 || Math.abs(now() - usedAt) < FORGET_AFTER) continue
      states.delete(key)
      if (health.down !== undefined) onDown(--down)
    }
  }

  function change(state: State, health: Health, name: string): void {
    const before = state.health.down
    state.health = health
    if ((before === undefined) === (health.down === undefined)) return
    down += health.down === undefined ? -1 : 1
    onDown(down)
    if (health.down !== undefined) log.warn({ destination: name, why: health.down.why }, 'destination-down')
    else log.info({ destination: name, since: before?.since }, 'destination-up')
  }

  function hasRoom(state: State, { connections }: Destination): boolean {
    if (state.running === 0) return true
    return state.running < Math.min(state.health.window, connections) && state.running < SHARE * (slots - running)
  }

  const isStalled = (state: State) => Math.abs(now() - state.progressAt) >= stall

  function busy(state: State, { connections }: Destination): Postponed {
    // The longer nobody gets through the rarer it is worth asking.
    const wait = Math.min(LONGEST_BUSY, Math.max(2 * stall, Math.abs(now() - state.progressAt)))
    const why = `all ${Math.min(state.health.window, connections)} connections are busy`
    return { kind: 'postponed', reason: 'busy', why, retryAt: Math.ceil(now() + wait * (1 + random())) }
  }

  /** Lets in or puts off; undefined: to wait in line. */
  function decide(state: State, destination: Destination): Entered | Postponed | undefined {
    const admission = admit(state.health, now(), random)
    if (typeof admission === 'object') return { kind: 'postponed', reason: 'down', ...admission }
    if (!hasRoom(state, destination)) return isStalled(state) ? busy(state, destination) : undefined
    const turnAt = state.rate?.take(now())
    if (turnAt !== undefined) {
      const { amount, period } = destination.rate!
      const why = `more than ${amount} messages in ${period / 1000} s`
      return { kind: 'postponed', reason: 'rate', why, retryAt: turnAt }
    }
    return begin(state, destination, admission === 'probe')
  }

  function begin(state: State, { name, connections }: Destination, wasProbe: boolean): Entered {
    if (wasProbe) change(state, probing(state.health), name)
    if (state.running === 0) state.progressAt = now()
    state.running++
    running++
    let left = false
    return {
      kind: 'entered',
      leave(ending) {
        if (left) return
        left = true
        state.running--
        running--
        change(state, after(state.health, ending, connections, wasProbe), name)
        if (ending.kind === 'served') state.progressAt = now()
        for (const ask of line) ask()
      },
    }
  }

  function after(health: Health, ending: Ending, connections: number, wasProbe: boolean): Health {
    switch (ending.kind) {
      case 'served':
        return succeeded(health, connections)
      case 'untold':
        return undecided(health, wasProbe)
      case 'failed':
        return failed(health, { why: ending.why, wasProbe, now: now() }, backOff, random)
    }
  }

  /** Asks again whenever somebody leaves, until the answer is not to wait, nobody gets through, or the attempt ends. */
  function waitInLine(
    state: State,
    destination: Destination,
    { endBy, signal }: Readonly<{ endBy: number; signal?: AbortSignal | undefined }>,
  ): Promise<Entered | Postponed> {
    return new Promise((resolve, reject) => {
      const stopWaiting = () => {
        line.delete(ask)
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
      }
      const ask = () => {
        const late = performance.now() >= endBy
        const answer = decide(state, destination) ?? (late ? busy(state, destination) : undefined)
        if (answer === undefined) return false
        stopWaiting()
        resolve(answer)
        return true
      }
      const onAbort = () => {
        stopWaiting()
        reject(signal?.reason)
      }
      const askInTime = () => {
        const untilStalled = state.progressAt + stall - now()
        const wait = Math.min(Math.max(1, untilStalled), Math.max(1, endBy - performance.now()))
        return setTimeout(() => {
          if (!ask()) timer = askInTime()
        }, wait)
      }
      let timer = askInTime()
      signal?.addEventListener('abort', onAbort)
      line.add(ask)
    })
  }

  return {
    resume() {
      for (const [name, state] of states) change(state, newHealth(backOff), name)
    },

    async enter(destination, attempt) {
      attempt.signal?.throwIfAborted()
      const state = stateOf(destination)
      return decide(state, destination) ?? (await waitInLine(state, destination, attempt))
    },
  }
}
