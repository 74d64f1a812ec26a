// The container stack as a person starts it: set up, built, brought up, looked at, broken, and taken down. One story, in this
// order. Base images are stand-ins (README.md); compose files, our images, scripts and configuration are the repository's.

import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { SAMPLES, type SampleName, sampleMail } from '../../local/samples.ts'
import { JOB_QUEUE } from '../../src/storage/aws-schema.ts'
import { mail, send } from '../pipeline/mail.ts'
import { podman } from './podman.ts'
import { containersOf, copyStack, deliveredSubjects, isStandIn, memoryOf } from './stack.ts'

const SMTP = 2525
const SENDER = { from: 'sample@sender.example', to: 'you@example.com' }
const MINUTE = 60_000
const ONE_PER_IMAGE = ['smtp-ingress', 'clamav', 'rspamd', 'unbound']

const stack = copyStack()
const file = readFileSync(new URL('../../docker-compose-monitoring.yml', import.meta.url), 'utf8')
const services = Object.keys((parse(file) as { services: object }).services).toSorted()
const subjectOf = (name: SampleName) => /^Subject: (.*)\r$/m.exec(sampleMail(name, 0).toString())![1]!

beforeAll(async () => {
  const { code, text } = await stack.run('scripts/setup-local.sh')
  if (code !== 0) throw new Error(text)
  await stack.compose('build', ...ONE_PER_IMAGE)
}, 10 * MINUTE)
afterEach(async ({ task }) => {
  if (task.result?.state !== 'fail') return
  const logs = ['smtp-ingress', 'scan-worker', 'delivery-worker', 'upkeep', 'rspamd', 'unbound'].map(service =>
    stack.compose('logs', '--tail=15', service).catch(String),
  )
  console.log((await Promise.all(logs)).join('\n'))
}, MINUTE)
afterAll(async () => {
  await stack.compose('down', '--volumes', '--timeout', '1').catch(() => {})
  stack.remove()
}, 2 * MINUTE)

/** Service to state of health, or what state it is in where it has no check. */
async function health(): Promise<Record<string, string>> {
  const containers = await containersOf()
  const states = services.map(service => {
    const { Status = 'missing', State = '' } = containers.get(service) ?? {}
    return [service, /\((\w+)\)$/.exec(Status)?.[1] ?? State]
  })
  return Object.fromEntries(states)
}

const allHealthy = Object.fromEntries(services.map(service => [service, 'healthy']))

async function sample(name: SampleName): Promise<string> {
  const { reply, queueId } = await send(SMTP, { ...SENDER, content: sampleMail(name, Date.now()) })
  expect(reply, name).toMatch(/^250 /)
  return queueId
}

async function quarantined(): Promise<readonly Readonly<{ queueId: string }>[]> {
  const lines = await stack.elemta('quarantine', 'list', '--json')
  return lines
    .split('\n')
    .filter(line => line.startsWith('{'))
    .map(line => JSON.parse(line))
}

const seen = new Set<string>()

/** Subjects of all that the sink has had. */
async function delivered(): Promise<readonly string[]> {
  for (const subject of await deliveredSubjects()) seen.add(subject)
  return [...seen]
}

/** Sends until it is taken: what a sender's queue does. */
async function deliverSoon(subject: string): Promise<void> {
  const content = mail().replace('Subject: A story', `Subject: ${subject}`)
  const accepted = () => send(SMTP, { ...SENDER, content }).then(({ reply }) => reply, String)
  await expect.poll(accepted, { timeout: 2 * MINUTE, interval: 1000 }).toMatch(/^250 /)
}

test(
  'one command, and a clean message is delivered',
  async () => {
    const began = performance.now()
    await stack.compose('up', '--detach')
    await deliverSoon('First')
    await expect.poll(deliveredSubjects, { timeout: MINUTE }).toContain('First')
    console.log(`from up to the first delivered message: ${Math.round((performance.now() - began) / 1000)} s`)
    await expect.poll(health, { timeout: 2 * MINUTE, interval: 2000 }).toEqual(allHealthy)
  },
  10 * MINUTE,
)

test(
  'clean mail is delivered; a virus and spam are in quarantine',
  async () => {
    const ids: Record<string, string> = {}
    for (const name of SAMPLES) ids[name] = await sample(name)
    await expect.poll(deliveredSubjects, { timeout: MINUTE }).toContain(subjectOf('clean'))
    await expect.poll(deliveredSubjects, { timeout: MINUTE }).toContain(subjectOf('attachment'))
    const held = () => quarantined().then(list => list.map(({ queueId }) => queueId).toSorted())
    await expect.poll(held, { timeout: MINUTE, interval: 2000 }).toEqual([ids.eicar, ids.gtube].toSorted())
    expect(await deliveredSubjects()).not.toContain(subjectOf('eicar'))
    expect(await deliveredSubjects()).not.toContain(subjectOf('gtube'))
  },
  3 * MINUTE,
)

test(
  'its memory, at rest',
  async () => {
    const containers = await containersOf()
    const megabytes = (pids: readonly number[]) => Math.round(memoryOf(pids) / 1e6)
    let total = 0
    for (const service of services) {
      // Of a process that has just ended podman knows no number.
      const lines = (await podman('top', containers.get(service)!.Id, 'hpid')).split('\n')
      const pids = lines.filter(line => /^\d+$/.test(line.trim())).map(Number)
      const standIn = pids.filter(isStandIn)
      const own = megabytes(pids.filter(pid => !standIn.includes(pid)))
      total += own
      console.log(
        `${service}: ${own} MB${standIn.length > 0 ? `; what parts its requests: ${megabytes(standIn)} MB` : ''}`,
      )
    }
    console.log(`all: ${total} MB`)
    expect(total).toBeLessThan(1000)
  },
  MINUTE,
)

test(
  'workers are killed, mail goes on being accepted, and is delivered when they are back',
  async () => {
    await stack.compose('kill', 'scan-worker', 'delivery-worker')
    // An emulator may give a wake-up to a receive that a killed worker had open, and it comes again after five minutes.
    // Until those receives are over nothing is sent.
    await sleep((JOB_QUEUE.waitTime + 1) * 1000)
    await deliverSoon('To dead workers')
    await stack.compose('start', 'scan-worker')
    await stack.compose('start', 'delivery-worker')
    await expect.poll(delivered, { timeout: 2 * MINUTE, interval: 1000 }).toContain('To dead workers')
    await expect.poll(health, { timeout: 2 * MINUTE, interval: 2000 }).toEqual(allHealthy)
  },
  6 * MINUTE,
)

test(
  'a load is accounted for, and every panel of the monitoring has data within three minutes of it',
  async () => {
    const began = performance.now()
    const seconds = () => Math.round((performance.now() - began) / 1000)
    const load = ['scripts/generate-test-load.sh', '--rate', '4/s', '--duration', '60s']
    const { code, text } = await stack.run('env', 'ELEMTA_SUBMISSION=127.0.0.1:2587', ...load)
    expect(code, text).toBe(0)
    const [held] = await quarantined()
    await stack.elemta('quarantine', 'release', held!.queueId)
    const verify = (...options: string[]) => stack.run('scripts/verify-monitoring-stack.sh', ...options)
    const telling = verify('--allow-quiet') // takes half a minute, which is needed below anyway
    const problems = () => verify('--notify', 'none').then(found => (found.code === 0 ? '' : found.text))
    await expect.poll(problems, { timeout: 3 * MINUTE - (performance.now() - began), interval: 5000 }).toBe('')
    console.log(`from the first of the load to data in every panel: ${seconds()} s`)
    const told = await telling
    expect(told.code, told.text).toBe(0)
    console.log(told.text)
  },
  8 * MINUTE,
)

test.each(['rspamd', 'mailpit'])(
  'mail waits while %s is dead, and comes when it is back',
  async service => {
    await delivered() // it forgets all when it is killed
    await stack.compose('kill', service)
    const subject = `Without ${service}`
    await deliverSoon(subject)
    await stack.compose('start', service)
    await expect.poll(deliveredSubjects, { timeout: 2 * MINUTE, interval: 1000 }).toContain(subject)
    await expect.poll(health, { timeout: 2 * MINUTE, interval: 2000 }).toEqual(allHealthy)
  },
  6 * MINUTE,
)

test(
  'a process that dies is started again by itself',
  async () => {
    const container = (await containersOf()).get('smtp-ingress')!.Id
    await podman('exec', container, 'node', '-e', 'process.kill(1, "SIGTERM")')
    await deliverSoon('Again')
    await expect.poll(deliveredSubjects, { timeout: MINUTE }).toContain('Again')
  },
  3 * MINUTE,
)

test(
  'down --volumes leaves nothing',
  async () => {
    await stack.compose('down', '--volumes', '--timeout', '10') // receives that are open would be waited for
    expect(await podman('ps', '--all', '--quiet')).toBe('')
    expect(await podman('volume', 'ls', '--quiet')).toBe('')
    expect(await podman('network', 'ls', '--format', '{{.Name}}')).toBe('podman')
  },
  3 * MINUTE,
)
