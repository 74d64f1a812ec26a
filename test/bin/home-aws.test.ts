// The operator's commands on a deployed stage, with nothing but the operator's credentials: no gateway runs here. AWS is
// emulated, and CloudFormation and the secret of the stage are answered by the front before the emulators.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DATA_OUTPUTS } from '../../lib/names.ts'
import { releaseFault } from '../../src/mail/release.ts'
import { readLedger } from '../../src/spool/ledger.ts'
import { type Deployment, deployment } from '../functions/aws-deployment.ts'
import { elemta } from '../pipeline/program.ts'

const KEY = 'A'.repeat(43)
const CREDENTIALS = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' }
let deployed: Deployment
let stage: string[]
let stacks: string[]

beforeAll(async () => {
  Object.assign(process.env, CREDENTIALS)
  deployed = await deployment()
  const { front, place } = deployed.home
  const values: Record<keyof typeof DATA_OUTPUTS, string> = {
    bucket: place.bucket,
    recordsTable: place.recordsTable,
    policyTable: place.policyTable,
    scanQueue: place.scanQueues.normal,
    deliveryQueue: place.deliveryQueues.normal,
    scanDeadLetters: 'https://sqs.example.com/1/scan',
    deliveryDeadLetters: 'https://sqs.example.com/1/delivery',
    releaseKey: 'arn:aws:secretsmanager:eu-central-1:1:secret:ReleaseKey-1',
  }
  const names = Object.keys(values) as (keyof typeof values)[]
  const members = names.map(
    name =>
      `<member><OutputKey>${DATA_OUTPUTS[name]}</OutputKey><OutputValue>${values[name].replaceAll('&', '&amp;')}</OutputValue></member>`,
  )
  stacks = []
  front.decide(({ action, body }) => {
    const text = body.toString()
    if (action === 'GetSecretValue') return { status: 200, body: JSON.stringify({ SecretString: KEY }) }
    if (!text.includes('Action=DescribeStacks')) return 'pass'
    const name = new URLSearchParams(text).get('StackName') ?? ''
    stacks.push(name)
    if (name === 'elemta-dev-data') return { status: 200, body: `<Outputs>${members.join('')}</Outputs>` }
    return { status: 400, body: `<Error><Message>Stack with id ${name} does not exist</Message></Error>` }
  })
  stage = ['--home', 'aws', '--stage', 'dev', '--endpoint', front.endpoint]
})
afterAll(() => deployed.dispose())

const run = (...args: string[]) => elemta(...args, ...stage)

test('trace, ledger, queue, mailq, postqueue and top look at the stage', async () => {
  const { queueId } = await deployed.waiting()
  const [trace, ledger, queue, mailq, postqueue, top] = await Promise.all([
    run('trace', queueId),
    run('ledger', '--json'),
    run('queue', 'list'),
    run('mailq'),
    run('postqueue', '-p'),
    run('top', '--once'),
  ])
  expect(trace.stdout).toContain('accepted')
  expect(JSON.parse(ledger.stdout)).toEqual(await readLedger(deployed.backends))
  for (const { stdout } of [queue, mailq, postqueue]) expect(stdout).toContain(queueId)
  expect(top.stdout).toContain('example.com')
  expect(stacks).toContain('elemta-dev-data')
})

test('queue hold and release, and postsuper, change it', async () => {
  const { queueId } = await deployed.waiting()
  const stateNow = async () => (await deployed.backends.records.get(queueId))?.recipients[0]?.state
  expect((await run('queue', 'hold', queueId)).code).toBe(0)
  expect(await stateNow()).toBe('held')
  expect((await run('queue', 'release', queueId)).code).toBe(0)
  expect(await stateNow()).not.toBe('held')
  expect((await run('postsuper', '-d', queueId)).code).toBe(0)
  expect(await stateNow()).toBe('deleted')
  expect((await readLedger(deployed.backends)).imbalance).toBe(0)
})

test('a release from quarantine is signed with the key of the stage', async () => {
  const { queueId } = await deployed.waiting()
  const { records, deliveryJobs, scanJobs } = deployed.backends
  const [lease] = await deliveryJobs.leaseOf(queueId)
  const recipients = ['bob@example.com']
  const quarantined = { at: Date.now(), event: 'quarantined', recipients, why: 'Eicar-Test-Signature' } as const
  await records.note(queueId, [quarantined], [{ recipient: 'bob@example.com', state: 'quarantined' }])
  await deliveryJobs.done(lease!)
  expect((await run('quarantine', 'list')).stdout).toContain(queueId)
  const released = await run('quarantine', 'release', queueId, '--wait', '0s')
  // Nobody scans here.
  expect(released.code, released.stderr).toBe(75)
  expect(released.stdout).toContain('queued')
  const [job] = await scanJobs.leaseOf(queueId)
  const { release, ...rest } = job!.job
  expect(releaseFault(Buffer.from(KEY, 'base64url'), { ...rest, release: release! }, Date.now())).toBeUndefined()
})

test('greylist and dlq look at the stage', async () => {
  expect((await run('greylist', 'list')).code).toBe(0)
  expect((await run('dlq', 'list')).code).toBe(0)
})

test('what makes no sense is said in a sentence', async () => {
  const unknown = await elemta('ledger', '--home', 'aws', '--stage', 'nowhere')
  expect(unknown).toMatchObject({ code: 78 })
  expect(unknown.stderr).toContain('there is no deployments/nowhere.ts')
  const notDeployed = await elemta(
    'ledger',
    '--home',
    'aws',
    '--stage',
    'prod',
    '--endpoint',
    deployed.home.front.endpoint,
  )
  expect(notDeployed).toMatchObject({ code: 69 })
  expect(notDeployed.stderr).toContain('elemta-prod-data does not exist')
  const alone = await elemta('ledger', '--stage', 'dev')
  expect(alone).toMatchObject({ code: 64 })
})
