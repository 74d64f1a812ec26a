// The functions as they are deployed: bundled, started cold by Node alone, with one event; and what each does on a
// deployment that has something for it to do.
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Prometheus } from '../../local/drill/prometheus.ts'
import { bundle, FUNCTIONS } from '../../scripts/bundle.ts'
import { mintQueueId } from '../../src/mail/queue-id.ts'
import { readLedger } from '../../src/spool/ledger.ts'
import { acceptedEvent, acceptedMessage } from '../contract/home.ts'
import { type NextHop, startNextHop } from '../deliver/next-hop.ts'
import { startPrivatePrometheus } from '../monitoring/start-prometheus.ts'
import { type Deployment, deployment } from './aws-deployment.ts'

let directory: string
let nextHop: NextHop
let deployed: Deployment
const bundles = new Map<string, { file: string; size: number }>()

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'elemta-bundles-'))
  for (const name of FUNCTIONS) bundles.set(name, bundle(name, directory))
  nextHop = await startNextHop()
  deployed = await deployment({ routes: [{ domains: ['*'], to: nextHop.url }] })
})
afterAll(async () => {
  await deployed.dispose()
  await nextHop.close()
  rmSync(directory, { recursive: true })
})

/** Its answer to an event, in a process of its own that has no other files. */
async function invoke(name: string, event: unknown, env: Record<string, string> = {}): Promise<unknown> {
  const code = `const { handler } = await import(${JSON.stringify(bundles.get(name)!.file)})
    const answer = await handler(${JSON.stringify(event)}, { getRemainingTimeInMillis: () => 60000 })
    process.stdout.write('answer ' + JSON.stringify(answer) + '\\n', () => process.exit(0))`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code], {
    cwd: directory,
    env: { PATH: process.env.PATH, ELEMTA_CONFIG_YAML: deployed.configuration, ...env },
  })
  return JSON.parse(
    stdout
      .split('\n')
      .find(line => line.startsWith('answer '))!
      .slice(7),
  )
}

test('each is smaller than a megabyte', () => {
  expect(bundles.size).toBeGreaterThan(4)
  for (const [name, { size }] of bundles) expect(size, name).toBeLessThan(1_000_000)
})

test('deliver delivers', async () => {
  const { queueId, record } = await deployed.waiting()
  expect(await invoke('deliver', { Records: [record] })).toEqual({ batchItemFailures: [] })
  expect(nextHop.messages.some(({ content }) => content.includes('Hello Bob'))).toBe(true)
  expect((await deployed.backends.records.get(queueId))?.recipients[0]?.state).toBe('delivered')
})

test('a secret of the configuration is fetched, and one that is still empty is said', async () => {
  const { front } = deployed.home
  let secret = JSON.stringify({ name: 'mx.secret.example' })
  front.decide(({ action }) =>
    action === 'GetSecretValue' ? { status: 200, body: JSON.stringify({ SecretString: secret }) } : 'pass',
  )
  const env = {
    ELEMTA_CONFIG_YAML: deployed.configuration.replace('hostname: mx.example.com', 'hostname: $' + '{ELEMTA_NAME}'),
    ELEMTA_NAME_SECRET: 'arn:aws:secretsmanager:eu-central-1:1:secret:Name-1#name',
    AWS_ENDPOINT_URL: front.endpoint,
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
  }
  const { record } = await deployed.waiting()
  expect(await invoke('deliver', { Records: [record] }, env)).toEqual({ batchItemFailures: [] })
  expect(nextHop.connections.at(-1)?.[0]).toBe('EHLO mx.secret.example')
  secret = JSON.stringify({ name: '' })
  const failed = await invoke('deliver', { Records: [] }, env).catch(error => String(error.stderr))
  expect(failed).toMatch(/the field name of arn:.* is still empty/)
  front.decide(() => 'pass')
})

test('sweep-deferred brings back what is due, and leaves what is not', async () => {
  const { records, deliveryJobs } = deployed.backends
  for (const dueAt of [Date.now() - 1, Date.now() + 3_600_000]) {
    const { queueId } = await deployed.waiting()
    const [lease] = await deliveryJobs.leaseOf(queueId)
    const job = { ...lease!.job, id: `${queueId}/delivery/2`, attempt: 2 }
    await records.defer({ job, dueAt })
    await records.note(queueId, [], [{ recipient: 'bob@example.com', state: 'deferred' }])
    await deliveryJobs.done(lease!)
  }
  expect(await invoke('sweep-deferred', {})).toEqual({ due: 1, woken: 0 })
  expect(await records.tallyDeferrals()).toMatchObject({ deferrals: 1 })
  expect((await readLedger(deployed.backends)).imbalance).toBe(0)
})

test('sweep-orphans discards what was in quarantine for too long, and takes nothing that somebody may still be at', async () => {
  const { messages, records, deliveryJobs } = deployed.backends
  const begun = mintQueueId(Date.now())
  const draft = messages.draft(begun)
  await draft.seal()
  await draft.commit()
  const { queueId } = await deployed.waiting()
  const recipients = ['bob@example.com']
  const [lease] = await deliveryJobs.leaseOf(queueId)
  const longAgo = Date.now() - 400 * 86_400_000
  const quarantined = { at: longAgo, event: 'quarantined', recipients, why: 'Eicar-Test-Signature' } as const
  await records.note(queueId, [quarantined], [{ recipient: 'bob@example.com', state: 'quarantined' }])
  await deliveryJobs.done(lease!)
  const old = { acceptedAt: longAgo, queueId: mintQueueId(longAgo), recipients }
  await records.create(acceptedMessage(old), acceptedEvent(longAgo))
  await records.note(old.queueId, [quarantined], [{ recipient: 'bob@example.com', state: 'quarantined' }])

  expect(await invoke('sweep-orphans', {})).toEqual({ removed: 0, missing: 1, stuck: 0, expired: 1 })
  expect((await records.get(old.queueId))?.recipients[0]?.state).toBe('discarded')
  expect((await records.get(queueId))?.recipients[0]?.state).toBe('quarantined')
  expect(await messages.has(begun)).toBe(true)
})

test('publish-queue-metrics writes the lengths of the queues to a Prometheus', async () => {
  const prometheus: Prometheus = await startPrivatePrometheus({ 'prometheus.yml': 'global: {}\n' })
  try {
    await deployed.waiting()
    const { samples } = (await invoke(
      'publish-queue-metrics',
      {},
      {
        ELEMTA_REMOTE_WRITE_URL: `${prometheus.url}/api/v1/write`,
      },
    )) as { samples: number }
    expect(samples).toBeGreaterThan(5)
    const sizes = await prometheus.query('elemta_queue_size{job="elemta"}')
    const { incoming } = await deployed.backends.deliveryJobs.tally()
    expect(sizes.find(({ labels }) => labels.queue_type === 'incoming')?.value).toBe(incoming.jobs)
    expect((await prometheus.query('elemta_ledger_imbalance'))[0]?.value).toBe(0)
  } finally {
    await prometheus.stop()
  }
})

test('a function without a configuration says so', async () => {
  const failed = await invoke('sweep-deferred', {}, { ELEMTA_CONFIG_YAML: '{}' }).catch(error => String(error.stderr))
  expect(failed).toMatch(/storage\.aws of the configuration/)
})
