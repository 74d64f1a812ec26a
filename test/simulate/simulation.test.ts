// Whole simulations of a small stage: nothing gets lost, chance repeats itself, and a quota shows where it bites.
import { describe, expect, it } from 'vitest'
import { PER_MESSAGE } from '../../lib/cost/load.ts'
import { latenciesTimes, PROCESSOR_TIME } from '../../simulate/services.ts'
import type { Result } from '../../simulate/simulation.ts'
import { simulated } from './stage.ts'

const inAll = ({ places }: Result) => Object.values(places).reduce((sum, count) => sum + count, 0)
const usageOf = ({ usages }: Result, name: string) => usages.find(usage => usage.name === name)
const throttles = ({ throttled: { s3, sqs, dynamodb } }: Result) => s3 + sqs + dynamodb

describe('a simulation', () => {
  it('knows where every accepted message is', async () => {
    const result = await simulated()
    expect(result.offered).toBeGreaterThan(800)
    expect(inAll(result)).toBe(result.accepted)
    const { service, pressure } = result.refused
    const open = result.offered - service - pressure - result.accepted
    expect(open).toBeGreaterThanOrEqual(0)
    expect(open).toBeLessThan(50)
    expect(result.places.delivered).toBeGreaterThan(0.85 * result.accepted)
  })

  it('loses none where services refuse what they are asked', async () => {
    const result = await simulated({ quotas: { prefixWrites: 80, tableWrites: 1200, partitionWrites: 30 } })
    expect(throttles(result)).toBeGreaterThan(100)
    expect(result.refused.service).toBeGreaterThan(0)
    expect(inAll(result)).toBe(result.accepted)
  })

  it('is the same for the same seed, and another for another', async () => {
    const [one, same, other] = [
      await simulated({ seed: 5 }),
      await simulated({ seed: 5 }),
      await simulated({ seed: 6 }),
    ]
    expect(same).toEqual(one)
    expect(other).not.toEqual(one)
  })

  it.each([
    ['prefixWrites', 60, 'S3 prefix, writes'],
    ['prefixReads', 60, 'S3 prefix, reads'],
    ['tableWrites', 300, 'DynamoDB table, writes'],
    ['partitionWrites', 5, 'DynamoDB partition age message#'],
    ['inFlight', 8, 'SQS delivery, in flight'],
  ] as const)('shows where %s of %i bites', async (quota, low, name) => {
    const [tight, wide] = [await simulated({ quotas: { [quota]: low } }), await simulated()]
    expect(usageOf(tight, name)).toMatchObject({ quota: low })
    expect(usageOf(tight, name)!.refused).toBeGreaterThan(0)
    expect(throttles(tight)).toBeGreaterThan(0)
    expect(usageOf(wide, name)!.refused).toBe(0)
    expect(throttles(wide)).toBe(0)
    expect(tight.places.delivered).toBeLessThan(wide.places.delivered)
  })

  it('is relieved by more shards and prefixes', async () => {
    const quotas = { prefixWrites: 60, partitionWrites: 10 }
    const [one, eight] = [await simulated({ quotas }), await simulated({ quotas, spread: 8 })]
    expect(throttles(one)).toBeGreaterThan(0)
    expect(throttles(eight)).toBe(0)
  })

  it('keeps processors as busy as their work demands', async () => {
    const result = await simulated({ duration: 60 })
    const { tasks, utilisation } = result
    const perSecond = result.offered / 60
    const scan = (perSecond * (PER_MESSAGE.scanSeconds + PROCESSOR_TIME.scanWorker / 1000)) / (2 * tasks.scan)
    const ingress = (perSecond * PROCESSOR_TIME.ingress) / 1000 / (0.5 * tasks.ingress)
    expect(Math.abs(utilisation.scan / scan - 1)).toBeLessThan(0.05)
    expect(Math.abs(utilisation.ingress / ingress - 1)).toBeLessThan(0.05)
  })

  it('takes longer where services do', async () => {
    const [fast, slow] = [await simulated(), await simulated({ latencies: latenciesTimes(3) })]
    expect(slow.accept.p50).toBeGreaterThan(2 * fast.accept.p50)
    expect(slow.deliver.p50).toBeGreaterThan(fast.deliver.p50)
  })

  it('delivers by functions as well', async () => {
    const result = await simulated({ settings: { delivery: { runsOn: 'lambda' } } })
    expect(inAll(result)).toBe(result.accepted)
    expect(result.places.delivered).toBeGreaterThan(0.8 * result.accepted)
    expect(usageOf(result, 'Lambda concurrency')!.used).toBe(result.tasks.delivery)
  })

  it('delivers no faster than the functions that the account allows', async () => {
    const settings = { delivery: { runsOn: 'lambda' } } as const
    const result = await simulated({ settings, quotas: { lambdaConcurrency: 2 } })
    expect(result.tasks.delivery).toBe(2)
    expect(result.places.delivery).toBeGreaterThan(result.places.delivered)
    expect(inAll(result)).toBe(result.accepted)
  })
})

describe('deferred mail', () => {
  it('comes back when it is due, by the passes of the function that sweeps', async () => {
    const [early, late] = [
      await simulated({ deferred: 0.5, rate: 5, duration: 40 }),
      await simulated({ deferred: 0.5, rate: 5, duration: 200 }),
    ]
    expect(early.places.deferred).toBeGreaterThan(0.3 * early.places.delivered)
    expect(late.places.delivered / late.accepted).toBeGreaterThan(1.1 * (early.places.delivered / early.accepted))
    expect(inAll(late)).toBe(late.accepted)
  })
})

describe('scaling', () => {
  const load = { tasks: 'settings', rate: 20, duration: 600 } as const

  it('adds tasks until the queue is served, where quotas allow it', async () => {
    const result = await simulated(load)
    expect(result.tasks.scan).toBeGreaterThan(3)
    expect(result.tasks.scan).toBeLessThanOrEqual(10)
    const short = await simulated({ ...load, quotas: { vcpus: 6 } })
    expect(short.tasks.scan).toBeLessThan(result.tasks.scan)
    expect(short.places.scan).toBeGreaterThan(result.places.scan)
    expect(usageOf(short, 'Fargate')!.refused).toBeGreaterThan(0)
  })

  it('refuses mail when more waits than may', async () => {
    const settings = { scan: { tasks: { max: 1 } }, gateway: { limits: { queued_messages: 500 } } }
    const result = await simulated({ ...load, settings })
    expect(result.refused.pressure).toBeGreaterThan(1000)
    expect(result.places.scan).toBeLessThan(5000)
    expect(inAll(result)).toBe(result.accepted)
  })
})
