// What the contract does not say: how few requests there are, and what becomes of jobs whose wake-ups are lost, late,
// doubled or refused.
import { PurgeQueueCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { AwsBackends } from '../../src/backends-aws.ts'
import { createBatcher } from '../../src/storage/batch-sqs.ts'
import { deliveryJob, scanJob, untilTestEnds } from '../contract/home.ts'
import { type AwsHome, awsHome } from './aws-home.ts'
import { CREDENTIALS, REGION } from './s3.ts'

describe('job queue by SQS', () => {
  let home: AwsHome
  let backends: AwsBackends
  const cleanUp: (() => Promise<unknown>)[] = []
  beforeEach(async () => {
    home = await awsHome()
    backends = await home.open()
    cleanUp.push(home.dispose, backends.close)
  })
  afterEach(async () => {
    home.front.decide(() => 'pass')
    for (const step of cleanUp.splice(0).reverse()) await step()
  })
  const asked = (action: string) => home.front.requests.filter(request => request.action === action)
  const lease = async (max = 10) => (await backends.scanJobs.lease(max, untilTestEnds)).map(({ job }) => job.id)
  const ids = (count: number) => Array.from({ length: count }, (_, n) => `job ${n}`)

  function sqs(): SQSClient {
    const client = new SQSClient({ endpoint: home.front.endpoint, region: REGION, credentials: CREDENTIALS })
    cleanUp.push(async () => client.destroy())
    return client
  }

  it('sends and deletes the wake-ups of concurrent callers ten at a time', async () => {
    await Promise.all(ids(20).map(id => backends.scanJobs.enqueue(scanJob(id))))
    expect(asked('SendMessageBatch').length).toBeLessThan(20)
    const leases = await backends.scanJobs.lease(10, untilTestEnds)
    expect(leases).toHaveLength(10)
    await Promise.all(leases.map(each => backends.scanJobs.done(each)))
    await backends.close()
    expect(asked('DeleteMessageBatch').length).toBeLessThan(10)
    expect(asked('SendMessage')).toEqual([])
  })

  it('names the domain of the recipient as the group, so that SQS is fair among domains', async () => {
    await backends.scanJobs.enqueue(scanJob('a', ['Bob@Example.COM']))
    await backends.deliveryJobs.enqueue(deliveryJob('b', ['x@bücher.example']))
    const groups = asked('SendMessageBatch').map(({ body }) => JSON.parse(body.toString()).Entries[0].MessageGroupId)
    expect(groups).toEqual(['example.com', 'b_cher.example'])
  })

  it('puts no content and no address into a message', async () => {
    await backends.scanJobs.enqueue(scanJob('a', ['bob@example.com']))
    const [entry] = JSON.parse(asked('SendMessageBatch')[0]!.body.toString()).Entries
    expect(JSON.parse(entry.MessageBody)).toEqual({ job: 'a', enqueuedAt: home.now() })
  })

  it('takes a job although SQS fails, and wakes it when it is back', async () => {
    home.front.decide(({ action }) => (action === 'SendMessageBatch' ? { status: 503 } : 'pass'))
    await backends.scanJobs.enqueue(scanJob('a'))
    home.front.decide(() => 'pass')
    await home.advance(119_000)
    const due = { grace: 120_000, patience: 3_600_000, max: 10 }
    expect(await backends.scanJobs.resend(due)).toBe(0)
    await home.advance(0)
    expect(await lease()).toEqual(['a'])
  })

  it('wakes a job whose wake-up is lost after a while, once', async () => {
    await backends.scanJobs.enqueue(scanJob('a'))
    await sqs().send(new PurgeQueueCommand({ QueueUrl: home.place.scanQueues.normal }))
    const other = await home.open({ now: () => home.now() + 121_000 })
    cleanUp.push(other.close)
    const due = { grace: 120_000, patience: 3_600_000, max: 10 }
    expect(await other.scanJobs.resend(due)).toBe(1)
    expect(await other.scanJobs.resend(due)).toBe(0)
    expect((await other.scanJobs.lease(1, untilTestEnds)).map(({ job }) => job.id)).toEqual(['a'])
  })

  it('is patient while SQS has a wake-up for every job', async () => {
    await backends.scanJobs.enqueue(scanJob('a'))
    const due = { grace: 120_000, patience: 3_600_000, max: 10 }
    for (const [later, woken] of [
      [121_000, 0],
      [3_601_000, 1],
    ] as const) {
      const other = await home.open({ now: () => home.now() + later })
      cleanUp.push(other.close)
      expect(await other.scanJobs.resend(due)).toBe(woken)
    }
  })

  it('gives a job to one worker though its wake-up came twice', async () => {
    const other = await home.open()
    cleanUp.push(other.close)
    await backends.scanJobs.enqueue(scanJob('a'))
    await backends.scanJobs.enqueue(scanJob('a'))
    const stop = new AbortController()
    const [mine, theirs] = [backends.scanJobs.lease(1, stop.signal), other.scanJobs.lease(1, stop.signal)]
    const first = await Promise.race([mine, theirs])
    expect(first.map(({ job }) => job.id)).toEqual(['a'])
    await backends.scanJobs.enqueue(scanJob('b'))
    const both = (await Promise.all([mine, theirs])).flat().map(({ job }) => job.id)
    expect(both.toSorted()).toEqual(['a', 'b'])
  })

  it('throws away the wake-up of a job that is done', async () => {
    await backends.scanJobs.enqueue(scanJob('a'))
    await backends.scanJobs.enqueue(scanJob('a'))
    const [first] = await backends.scanJobs.lease(1, untilTestEnds)
    await backends.scanJobs.done(first!)
    await backends.scanJobs.enqueue(scanJob('b'))
    expect(await lease()).toEqual(['b'])
  })

  it('gives back what it received and nobody wants', async () => {
    const impatient = await home.open({ polls: { waitTime: 0, times: { pause: 5, gather: 1000, hold: 1 } } })
    cleanUp.push(impatient.close)
    await Promise.all(
      ids(3).map(id => impatient.scanJobs.enqueue({ ...scanJob(id), priority: id === 'job 0' ? 'high' : 'low' })),
    )
    expect(await impatient.scanJobs.lease(1, untilTestEnds)).toHaveLength(1)
    await expect.poll(() => asked('ChangeMessageVisibilityBatch').length).toBeGreaterThan(0)
    const other = await home.open()
    cleanUp.push(other.close)
    const rest: string[] = []
    while (rest.length < 2) rest.push(...(await other.scanJobs.lease(5, untilTestEnds)).map(({ job }) => job.id))
    expect(rest.toSorted()).toEqual(['job 1', 'job 2'])
  })

  it('tells a worker when it cannot hear of jobs, and goes on when it can', async () => {
    await backends.scanJobs.enqueue(scanJob('a'))
    home.front.decide(({ action }) => (action === 'ReceiveMessage' ? { status: 403 } : 'pass'))
    await expect(backends.scanJobs.lease(1, untilTestEnds)).rejects.toThrow()
    home.front.decide(() => 'pass')
    expect(await lease()).toEqual(['a'])
  })

  it('leases the job that a message names, for one who receives messages himself', async () => {
    const job = scanJob('a')
    await backends.scanJobs.enqueue(job)
    const receive = new ReceiveMessageCommand({ QueueUrl: home.place.scanQueues.normal })
    const { Messages = [] } = await sqs().send(receive)
    const body = Messages[0]!.Body!
    const woken = await backends.scanJobs.leaseMessage(body)
    expect(woken).toMatchObject({ lease: { job, tries: 1 } })
    expect(await backends.scanJobs.leaseMessage(body)).toEqual({ busyFor: home.leaseTime })
    if (!('lease' in woken)) throw new Error('no lease')
    await backends.scanJobs.retry(woken.lease, 0, 'again')
    expect(await lease()).toEqual(['a'])
    expect(await backends.scanJobs.leaseMessage('{"job":"never","enqueuedAt":1}')).toEqual({ busyFor: 0 })
    await expect(backends.scanJobs.leaseMessage('not ours')).rejects.toThrow('no wake-up')
  })
})

describe('a batch', () => {
  it('tells each caller of his own entry', async () => {
    const sent: string[][] = []
    const send = createBatcher<{ name: string }>(async entries => {
      sent.push(entries.map(({ name }) => name))
      const bad = entries.find(({ name }) => name === 'bad')
      return { Failed: bad === undefined ? [] : [{ Id: bad.Id, Code: 'InternalError' }] }
    })
    const names = ['a', 'bad', ...ids(10)]
    const results = await Promise.allSettled(names.map(name => send({ name })))
    expect(results.map(({ status }) => status)).toEqual(names.map(name => (name === 'bad' ? 'rejected' : 'fulfilled')))
    expect(sent).toEqual([names.slice(0, 10), names.slice(10)])
  })

  it('goes out when it is full or its time is over, by whatever timers it is given', async () => {
    const sizes: number[] = []
    const planned: (() => void)[] = []
    const timers = {
      set: (run: () => void) => planned.push(run) - 1,
      clear: (n: unknown) => planned.splice(Number(n), 1),
    }
    const send = createBatcher<{ name: string }>(async entries => {
      sizes.push(entries.length)
      return {}
    }, timers)
    const full = ids(12).map(name => send({ name }))
    await Promise.all(full.slice(0, 10))
    expect([sizes, planned.length]).toEqual([[10], 1])
    planned[0]?.()
    await Promise.all(full)
    expect([sizes, planned.length]).toEqual([[10, 2], 0])
  })

  it('fails for all when the request fails, and works again after that', async () => {
    let down = true
    const send = createBatcher<{ name: string }>(async () => {
      if (down) throw new Error('away')
      return {}
    })
    const results = await Promise.allSettled([send({ name: 'a' }), send({ name: 'b' })])
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    down = false
    await send({ name: 'c' })
  })

  function ids(count: number) {
    return Array.from({ length: count }, (_, n) => `entry ${n}`)
  }
})
