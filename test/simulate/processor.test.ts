// Queueing theory beside what the simulation does: work that comes at random to a few servers (M/M/c).
import { describe, expect, it } from 'vitest'
import { createClock } from '../../simulate/clock.ts'
import { type Process, start } from '../../simulate/process.ts'
import { createProcessor } from '../../simulate/processor.ts'
import { createChance, exponential } from '../../simulate/random.ts'

const SERVICE = 10

/** Work of 10 ms on average, `rate` times a second. */
async function run(servers: number, rate: number) {
  const clock = createClock()
  const chance = createChance(3)
  const processor = createProcessor(clock, servers)
  let [done, waited] = [0, 0]
  function* job(): Process {
    const [begun, work] = [clock.now(), exponential(chance, SERVICE)]
    yield processor.work(work)
    waited += clock.now() - begun - work
    done++
  }
  function* arrivals(): Process {
    for (;;) {
      yield exponential(chance, 1000 / rate)
      start(clock, job())
    }
  }
  start(clock, arrivals())
  const time = 1_000_000
  await clock.runUntil(time)
  return { utilisation: processor.used() / time / servers, wait: waited / done, throughput: (1000 * done) / time }
}

/** Mean wait of M/M/c by Erlang's C formula, milliseconds. */
function erlangWait(servers: number, rate: number): number {
  const load = (rate * SERVICE) / 1000
  let [term, sum] = [1, 0]
  for (let n = 0; n < servers; n++) {
    sum += term
    term *= load / (n + 1)
  }
  const last = (term * servers) / (servers - load)
  return ((last / (sum + last)) * SERVICE) / (servers - load)
}

describe('a processor', () => {
  it.each([
    [1, 50],
    [1, 80],
    [2, 160],
    [4, 340],
  ])(
    'of %i vCPU at %i jobs a second is as busy as it must be, and they wait as long as they must',
    async (servers, rate) => {
      const { utilisation, wait, throughput } = await run(servers, rate)
      const expected = (rate * SERVICE) / 1000 / servers
      expect(Math.abs(utilisation / expected - 1)).toBeLessThan(0.02)
      expect(Math.abs(throughput / rate - 1)).toBeLessThan(0.02)
      expect(Math.abs(wait / erlangWait(servers, rate) - 1)).toBeLessThan(0.1)
    },
  )

  it('of half a vCPU takes twice the time', async () => {
    const clock = createClock()
    const processor = createProcessor(clock, 0.5)
    let ended = 0
    start(clock, one())
    function* one(): Process {
      yield processor.work(10)
      ended = clock.now()
    }
    await clock.runUntil(100)
    expect(ended).toBe(20)
  })
})
