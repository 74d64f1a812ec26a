// The simulated queue: the gateway's own batches, what is hidden, and the limit of what is in flight.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createClock } from '../../simulate/clock.ts'
import { start } from '../../simulate/process.ts'
import { createChance, exponential } from '../../simulate/random.ts'
import { latenciesTimes } from '../../simulate/services.ts'
import { createQueue } from '../../simulate/sqs.ts'
import { JOB_QUEUE } from '../../src/storage/aws-schema.ts'
import { createBatcher } from '../../src/storage/batch-sqs.ts'

function openQueue(inFlight = 1000) {
  const clock = createClock()
  const queue = createQueue<string>({
    clock,
    chance: createChance(1),
    quotas: { inFlight },
    latencies: latenciesTimes(1),
  })
  return { clock, queue, connection: queue.connect() }
}

/** Whole milliseconds at which a task sends, a hundred at a rate. */
function moments(rate: number): number[] {
  const chance = createChance(rate)
  let at = 0
  return Array.from({ length: 100 }, () => {
    at += exponential(chance, 1000 / rate)
    return Math.round(at)
  })
}

describe('batches', () => {
  beforeEach(() => vi.useFakeTimers())
  afterEach(() => vi.useRealTimers())

  /** The batcher as the gateway uses it, on timers that vitest moves. */
  async function real(times: readonly number[]): Promise<number> {
    let batches = 0
    const send = createBatcher<object>(async () => {
      batches++
      return {}
    })
    for (const time of times) setTimeout(() => void send({}), time)
    await vi.runAllTimersAsync()
    return batches
  }

  async function inSimulation(times: readonly number[]): Promise<number> {
    const { clock, queue, connection } = openQueue()
    for (const [n, time] of times.entries()) clock.after(time, () => void connection.send(String(n)))
    await clock.runUntil(1e6)
    return queue.requests().batches
  }

  it('are those that the gateway makes, and grow with what goes on at a time', async () => {
    const sizes: number[] = []
    for (const rate of [20, 500, 2000, 20_000]) {
      const times = moments(rate)
      const batches = await inSimulation(times)
      expect(batches).toBe(await real(times))
      sizes.push(100 / batches)
    }
    expect(sizes).toEqual(sizes.toSorted((a, b) => a - b))
    expect(sizes[0]).toBeLessThan(1.2)
    expect(sizes.at(-1)).toBe(10)
  })
})

describe('a queue', () => {
  async function receive({ clock, connection }: ReturnType<typeof openQueue>, max = 10, time = 1000) {
    let got: readonly string[] | undefined = ['nothing yet']
    start(clock, connection.receive(max), messages => {
      got = messages
    })
    await clock.runUntil(clock.now() + time)
    return got
  }

  it('gives a message to whoever waits for one, and to nobody else until its time is over', async () => {
    const open = openQueue()
    const { clock, connection } = open
    clock.after(500, () => void connection.send('a'))
    expect(await receive(open)).toEqual(['a'])
    const patience = 1000 * (JOB_QUEUE.waitTime + 1)
    expect(await receive(open, 10, patience)).toEqual([])
    await clock.runUntil(1000 * JOB_QUEUE.visibilityTimeout - patience)
    expect(await receive(open, 10, patience)).toEqual([])
    await clock.runUntil(1000 * JOB_QUEUE.visibilityTimeout + 2000)
    expect(await receive(open)).toEqual(['a'])
  })

  it('never gives again what was removed, and gives back what shall come later', async () => {
    const open = openQueue()
    const { clock, connection } = open
    for (const message of ['a', 'b']) void connection.send(message)
    expect(await receive(open)).toEqual(['a', 'b'])
    void connection.remove('a')
    void connection.later('b', 2000)
    expect(await receive(open, 10, 4000)).toEqual(['b'])
    void connection.remove('b')
    await clock.runUntil(clock.now() + 2000 * JOB_QUEUE.visibilityTimeout)
    expect(open.queue.visible()).toBe(0)
  })

  it('refuses receives when as much is in flight as may be', async () => {
    const open = openQueue(3)
    for (const message of ['a', 'b', 'c', 'd']) void open.connection.send(message)
    expect(await receive(open)).toEqual(['a', 'b', 'c'])
    expect(await receive(open)).toBeUndefined()
    expect(open.queue.refused()).toBe(1)
    void open.connection.remove('a')
    await open.clock.runUntil(open.clock.now() + 1000)
    expect(await receive(open)).toEqual(['d'])
  })
})
