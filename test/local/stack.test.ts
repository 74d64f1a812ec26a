// The container stack as a person starts it: set up, built, brought up, looked at, broken, and taken down. One story, in this
// order. Base images are stand-ins (README.md); compose files, our images, scripts and configuration are the repository's.

import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { SAMPLES, type SampleName, sampleMail } from '../../local/samples.ts'
import { mail, send } from '../pipeline/mail.ts'
import { podman } from './podman.ts'
import { containersOf, copyStack, deliveredSubjects, memoryOf } from './stack.ts'

const SMTP = 2525
const SENDER = { from: 'sample@sender.example', to: 'you@example.com' }
const MINUTE = 60_000

const stack = copyStack()
const file = readFileSync(new URL('../../docker-compose-monitoring.yml', import.meta.url), 'utf8')
const services = Object.keys((parse(file) as { services: object }).services).toSorted()
const subjectOf = (name: SampleName) => /^Subject: (.*)\r$/m.exec(sampleMail(name, 0).toString())![1]!

beforeAll(async () => {
  const { code, text } = await stack.run('scripts/setup-local.sh')
  if (code !== 0) throw new Error(text)
  await stack.compose('build')
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
    const rows = await Promise.all(
      services.map(async service => {
        const container = containers.get(service)!.Id
        const pids = (await podman('top', container, 'hpid')).split('\n').slice(1).map(Number)
        return [service, memoryOf(pids) / 1e6] as const
      }),
    )
    const total = rows.reduce((sum, [, megabytes]) => sum + megabytes, 0)
    for (const [service, megabytes] of rows) console.log(`${service}: ${Math.round(megabytes)} MB`)
    console.log(`all: ${Math.round(total)} MB`)
    expect(total).toBeLessThan(1500)
  },
  MINUTE,
)

const TO_THE_DEAD = ['To a dead scan-worker', 'To a dead delivery-worker']

test(
  'workers are killed, mail goes on being accepted, and they come back',
  async () => {
    await stack.compose('kill', 'scan-worker')
    await deliverSoon(TO_THE_DEAD[0]!)
    await stack.compose('start', 'scan-worker')
    await stack.compose('kill', 'delivery-worker')
    await deliverSoon(TO_THE_DEAD[1]!)
    await stack.compose('start', 'delivery-worker')
    await expect.poll(health, { timeout: 2 * MINUTE, interval: 2000 }).toEqual(allHealthy)
  },
  6 * MINUTE,
)

test(
  'a load is accounted for, and every part of the monitoring has something to say',
  async () => {
    const load = await stack.run('scripts/generate-test-load.sh', '--rate', '4/s', '--duration', '60s')
    expect(load.code, load.text).toBe(0)
    const verified = await stack.run('scripts/verify-monitoring-stack.sh', '--allow-quiet')
    expect(verified.code, verified.text).toBe(0)
  },
  6 * MINUTE,
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

// A receive that a killed worker had open may have taken the wake-up with it: it comes again after the queue's visibility
// timeout, five minutes. Asked last, so that nobody waits for it.
test(
  'what was sent while workers were dead is delivered',
  async () => {
    for (const subject of TO_THE_DEAD)
      await expect.poll(delivered, { timeout: 7 * MINUTE, interval: 2000 }).toContain(subject)
  },
  15 * MINUTE,
)

test(
  'down --volumes leaves nothing',
  async () => {
    await stack.compose('down', '--volumes')
    expect(await podman('ps', '--all', '--quiet')).toBe('')
    expect(await podman('volume', 'ls', '--quiet')).toBe('')
    expect(await podman('network', 'ls', '--format', '{{.Name}}')).toBe('podman')
  },
  3 * MINUTE,
)
