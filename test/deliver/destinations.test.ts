// Who may begin an attempt, and who is put off. The clock is the test's own wherever nobody waits in line.
import { beforeEach, describe, expect, test } from 'vitest'
import { createNextHopChoice, type RankedNextHop } from '../../src/deliver/choose-next-hop.ts'
import { createDestinations, type DestinationsOptions, type Entered } from '../../src/deliver/destinations.ts'
import { reasonOf } from '../../src/deliver/failure-reason.ts'
import { NextHopError } from '../../src/deliver/smtp-connection.ts'
import { silentLog } from '../../src/platform/log.ts'

const START = Date.UTC(2026, 0, 1)
const DEAD = { key: 'dead', name: 'smtp://dead:25', connections: 20 }
const GOOD = { key: 'good', name: 'smtp://good:25', connections: 20 }
const REFUSED = { kind: 'failed', why: 'connection refused' } as const
const SERVED = { kind: 'served' } as const

let time: number
let down: number
beforeEach(() => {
  time = START
  down = 0
})

function destinationsWith(options: Partial<DestinationsOptions> = {}) {
  const destinations = createDestinations({
    now: () => time,
    random: () => 0.5,
    log: silentLog,
    slots: 20,
    onDown: count => {
      down = count
    },
    ...options,
  })
  const patience = () => ({ endBy: performance.now() + 60_000 })
  return {
    ask: (destination = DEAD) => destinations.enter(destination, patience()),
    async enter(destination = DEAD): Promise<Entered> {
      const answer = await destinations.enter(destination, patience())
      if (answer.kind !== 'entered') throw new Error(`put off: ${answer.why}`)
      return answer
    },
    async fail(times: number, destination = DEAD) {
      for (let n = 0; n < times; n++) (await this.enter(destination)).leave(REFUSED)
    },
  }
}

describe('a destination that fails', () => {
  test('three times in a row is down for half a minute, and says since when and why', async () => {
    const destinations = destinationsWith()
    await destinations.fail(3)
    expect(down).toBe(1)
    expect(await destinations.ask()).toEqual({
      kind: 'postponed',
      reason: 'down',
      why: 'destination down since 2026-01-01T00:00:00.000Z: connection refused',
      retryAt: START + 30_000 + 3750,
    })
    time += 29_999
    expect(await destinations.ask()).toMatchObject({ reason: 'down' })
    expect((await destinations.ask(GOOD)).kind).toBe('entered')
  })

  test('now and then is not down, and trouble with single messages is none of it', async () => {
    const destinations = destinationsWith()
    await destinations.fail(2)
    ;(await destinations.enter()).leave(SERVED)
    await destinations.fail(2)
    for (let n = 0; n < 5; n++) (await destinations.enter()).leave({ kind: 'untold' })
    expect(down).toBe(0)
  })

  test('grows its pause with each failed probe, to a quarter of an hour', async () => {
    const destinations = destinationsWith()
    await destinations.fail(3)
    const pauses: number[] = []
    for (let n = 0; n < 7; n++) {
      let answer = await destinations.ask()
      const from = time
      while (answer.kind === 'postponed') {
        time += 1000
        answer = await destinations.ask()
      }
      pauses.push((time - from) / 1000)
      answer.leave(REFUSED)
    }
    expect(pauses).toEqual([30, 60, 120, 240, 480, 900, 900])
    expect(await destinations.ask()).toMatchObject({ why: expect.stringContaining('since 2026-01-01T00:00:00') })
  })

  test('is up again after a probe that is served, and gets 1, 2, 4 connections', async () => {
    const destinations = destinationsWith({ stall: 0 })
    await destinations.fail(3)
    time += 30_000
    const probe = await destinations.enter()
    expect(await destinations.ask()).toMatchObject({ kind: 'postponed', reason: 'down' })
    probe.leave(SERVED)
    expect(down).toBe(0)
    const rounds: number[] = []
    for (let n = 0; n < 3; n++) {
      const inside: Entered[] = []
      let answer = await destinations.ask()
      while (answer.kind === 'entered') {
        inside.push(answer)
        answer = await destinations.ask()
      }
      expect(answer).toMatchObject({ reason: 'busy' })
      rounds.push(inside.length)
      for (const one of inside) one.leave(SERVED)
    }
    expect(rounds).toEqual([1, 2, 4])
  })

  test('whose probe is called off gets another one', async () => {
    const destinations = destinationsWith()
    await destinations.fail(3)
    time += 30_000
    ;(await destinations.enter()).leave({ kind: 'untold' })
    expect((await destinations.ask()).kind).toBe('entered')
  })

  test('is asked again in time although the clock was put back', async () => {
    const destinations = destinationsWith()
    await destinations.fail(3)
    time -= 600_000
    expect((await destinations.ask()).kind).toBe('entered')
  })

  test('is not counted for ever when no more mail comes for it', async () => {
    const destinations = destinationsWith()
    await destinations.fail(3)
    time += 3_700_000
    await destinations.ask(GOOD)
    expect(down).toBe(0)
  })
})

describe('a destination that is busy', () => {
  test('takes whoever is in line, in order, as soon as somebody leaves', async () => {
    const destinations = destinationsWith()
    const one = { ...GOOD, connections: 1 }
    const first = await destinations.enter(one)
    const order: string[] = []
    const second = destinations.enter(one).then(entered => {
      order.push('second')
      return entered
    })
    const third = destinations.enter(one).then(entered => {
      order.push('third')
      return entered
    })
    first.leave(SERVED)
    ;(await second).leave(SERVED)
    ;(await third).leave(SERVED)
    expect(order).toEqual(['second', 'third'])
  })

  test('and lets nobody through keeps nobody waiting: they come again later and later', async () => {
    const destinations = destinationsWith({ now: Date.now, stall: 20 })
    for (let n = 0; n < 5; n++) await destinations.enter()
    const inLine = await Promise.all([destinations.ask(), destinations.ask()])
    expect(inLine).toMatchObject([{ reason: 'busy' }, { reason: 'busy' }])
  })

  test('is asked more rarely the longer it lasts', async () => {
    const destinations = destinationsWith()
    for (let n = 0; n < 5; n++) await destinations.enter()
    const waits: number[] = []
    for (const minutes of [0.1, 1, 10]) {
      time = START + minutes * 60_000
      const answer = await destinations.ask()
      waits.push(answer.kind === 'postponed' ? (answer.retryAt - time) / 1000 : 0)
    }
    expect(waits).toEqual([9, 90, 450])
  })

  test('leaves room for others, however many connections it may have', async () => {
    const destinations = destinationsWith({ stall: 0, backOff: { initialWindow: 20 } })
    const enterAll = async (destination: typeof GOOD) => {
      let inside = 0
      while ((await destinations.ask(destination)).kind === 'entered') inside++
      return inside
    }
    expect(await enterAll(DEAD)).toBe(15)
    const others = [await enterAll(GOOD), await enterAll({ ...GOOD, key: 'another' })]
    expect(Math.min(...others)).toBeGreaterThan(0)
  })

  test('and goes down puts off those in line at once', async () => {
    const destinations = destinationsWith({ backOff: { initialWindow: 3 } })
    const inside = await Promise.all([destinations.enter(), destinations.enter(), destinations.enter()])
    const inLine = destinations.ask()
    for (const one of inside) one.leave(REFUSED)
    expect(await inLine).toMatchObject({ kind: 'postponed', reason: 'down' })
  })

  test('is left alone by those who are called off', async () => {
    const destinations = createDestinations({
      now: () => time,
      random: () => 0.5,
      log: silentLog,
      slots: 20,
      onDown: () => {},
    })
    const one = { ...GOOD, connections: 1 }
    const endBy = performance.now() + 60_000
    await destinations.enter(one, { endBy })
    const stop = new AbortController()
    const inLine = destinations.enter(one, { endBy, signal: stop.signal })
    stop.abort(new Error('off'))
    await expect(inLine).rejects.toThrow('off')
  })
})

test('a rate sends those without a turn away, each to a turn of its own', async () => {
  const destinations = destinationsWith()
  const limited = { ...GOOD, rate: { amount: 2, period: 60_000 } }
  for (let n = 0; n < 2; n++) (await destinations.enter(limited)).leave(SERVED)
  const turns: unknown[] = []
  for (let n = 0; n < 3; n++) {
    const answer = await destinations.ask(limited)
    expect(answer).toMatchObject({ reason: 'rate', why: 'more than 2 messages in 60 s' })
    turns.push(answer.kind === 'postponed' && (answer.retryAt - START) / 1000)
  }
  expect(turns).toEqual([30, 60, 90])
  time += 30_000
  ;(await destinations.enter(limited)).leave(SERVED)
  expect(await destinations.ask(limited)).toMatchObject({ reason: 'rate' })
})

describe('several next hops', () => {
  const ranked = (host: string, priority = 10, weight = 1): RankedNextHop => ({
    nextHop: { protocol: 'smtp', host, port: 25 },
    priority,
    weight,
  })
  const hostsOf = (choice: ReturnType<typeof createNextHopChoice>, candidates: readonly RankedNextHop[]) =>
    choice.order(candidates).map(({ host }) => host)

  test('are tried by priority', () => {
    const choice = createNextHopChoice({ now: () => time, random: Math.random })
    expect(hostsOf(choice, [ranked('c', 30), ranked('a', 10), ranked('b', 20)])).toEqual(['a', 'b', 'c'])
  })

  test('of one priority share the work by weight', () => {
    let drawn = 0
    const choice = createNextHopChoice({ now: () => time, random: () => drawn++ / 100 })
    const candidates = [ranked('light'), ranked('heavy', 10, 3)]
    const first = Array.from({ length: 50 }, () => hostsOf(choice, candidates)[0])
    expect(first.filter(host => host === 'light')).toHaveLength(13)
  })

  test('stand behind the others for a while when they failed', () => {
    const choice = createNextHopChoice({ now: () => time, random: () => 0 })
    const candidates = [ranked('a', 10), ranked('b', 20), ranked('c', 30)]
    choice.failed(candidates[0]!.nextHop)
    expect(hostsOf(choice, candidates)).toEqual(['b', 'c', 'a'])
    time += 60_000
    expect(hostsOf(choice, candidates)).toEqual(['a', 'b', 'c'])
    choice.failed(candidates[0]!.nextHop)
    choice.worked(candidates[0]!.nextHop)
    expect(hostsOf(choice, candidates)).toEqual(['a', 'b', 'c'])
  })
})

test.each<[ConstructorParameters<typeof NextHopError>, string]>([
  [['connection refused', 'connection'], 'connection'],
  [['no connection within 30 s', 'connection'], 'timeout'],
  [['no reply to the final dot within 600 s', 'message'], 'timeout'],
  [['TLS failed: self-signed certificate', 'connection'], 'tls'],
  [['host not found', 'connection'], 'dns'],
  [['421 4.3.2 Not now', 'connection'], 'session'],
  [['connection closed by the next hop', 'message'], 'message'],
])('%s is counted as %s', (error, reason) => {
  expect(reasonOf(new NextHopError(...error))).toBe(reason)
})
