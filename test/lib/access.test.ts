// Who may do what, as the statements of the roles say it: the ingress, which the world talks to, can read no mail.
import { expect, test, vi } from 'vitest'
import { type Resource, synthesize } from './synth.ts'

// Making a template takes a second on a machine with nothing else to do.
vi.setConfig({ testTimeout: 120_000 })

const made = synthesize({ data: { encryption: 'own-key' }, delivery: { runsOn: 'fargate' } })
const functions = synthesize({ delivery: { runsOn: 'lambda' } })

const SERVICES = ['ecs-tasks', 'lambda', 'events', 'application-autoscaling'].map(name => `${name}.amazonaws.com`)

type Statement = Readonly<{
  Action: string | readonly string[]
  Effect: string
  Resource: unknown
  Condition?: unknown
}>

function statementsOf(from: typeof made, role: string): readonly Statement[] {
  const policies = from.resources('pipeline', 'AWS::IAM::Policy', role)
  return Object.values(policies).flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
}

/** What a role may do, as `service: actions on …resource`. */
function may(from: typeof made, role: string, service: string): string[] {
  return statementsOf(from, role)
    .flatMap(({ Action, Resource }) =>
      [Resource].flat().map(resource => ({ actions: [Action].flat(), on: JSON.stringify(resource) })),
    )
    .filter(({ actions }) => actions.every(action => action.startsWith(`${service}:`)))
    .flatMap(({ actions, on }) => {
      const [, thing = on] = /(MailBucket|ScanJobs|DeliveryJobs|Mail(?=Key)|Records|Policy)/.exec(on) ?? []
      const [, below = ''] = /"\/([a-z]+\/)\*"/.exec(on) ?? []
      return actions.map(action => `${action.slice(service.length + 1)} ${thing} ${below}`.trim())
    })
    .toSorted()
}

test('the ingress puts contents and wakes scanners; it can read, list and remove no mail', () => {
  const role = 'IngressTaskDefinitionTaskRole'
  expect(may(made, role, 's3')).toEqual(['AbortMultipartUpload MailBucket incoming/', 'PutObject MailBucket incoming/'])
  expect(may(made, role, 'sqs')).toEqual([
    'GetQueueAttributes DeliveryJobs',
    'GetQueueAttributes ScanJobs',
    'SendMessage ScanJobs',
  ])
})

test('scanners have mail on its way and quarantine, and read signatures', () => {
  const role = 'ScannersTaskDefinitionTaskRole'
  const all = ['AbortMultipartUpload', 'DeleteObject', 'GetObject', 'PutObject']
  const on = (prefix: string) => all.map(action => `${action} MailBucket ${prefix}`)
  expect(may(made, role, 's3')).toEqual(
    [...on('incoming/'), ...on('quarantine/'), 'GetObject MailBucket signatures/', 'ListBucket MailBucket'].toSorted(),
  )
  expect(may(made, role, 'sqs')).toContain('ReceiveMessage ScanJobs')
  expect(may(made, role, 'sqs')).not.toContain('ReceiveMessage DeliveryJobs')
})

test.each([
  ['tasks', made, 'DeliveryTaskDefinitionTaskRole'],
  ['a function', functions, 'DeliveryFunctionServiceRole'],
] as const)('delivery by %s sees nothing of quarantine and takes its own jobs only', (_, from, role) => {
  expect(may(from, role, 's3').filter(action => !action.endsWith('incoming/'))).toEqual([])
  expect(may(from, role, 'sqs')).toContain('ReceiveMessage DeliveryJobs')
  expect(may(from, role, 'sqs')).not.toContain('ReceiveMessage ScanJobs')
})

test('who brings signatures touches nothing but signatures', () => {
  const role = 'SignaturesDefinitionTaskRole'
  expect(may(made, role, 's3').filter(action => !action.endsWith('signatures/'))).toEqual(['ListBucket MailBucket'])
  expect(may(made, role, 'dynamodb')).toEqual([])
  expect(may(made, role, 'sqs')).toEqual([])
})

test('sweeps list two prefixes and no more', () => {
  const lists = statementsOf(made, 'SweepersSweepOrphansServiceRole').filter(({ Action }) => Action === 's3:ListBucket')
  expect(lists.map(({ Condition }) => Condition)).toEqual([
    { StringLike: { 's3:prefix': 'incoming/*' } },
    { StringLike: { 's3:prefix': 'quarantine/*' } },
  ])
})

test('metrics are written by the tasks and by the one function that counts queues', () => {
  const writers = Object.keys(functions.resources('pipeline', 'AWS::IAM::Policy')).filter(id =>
    statementsOf(functions, id).some(({ Action }) => Action === 'aps:RemoteWrite'),
  )
  expect(writers.map(id => id.replace(/(Definition|Service).*/, ''))).toEqual([
    'IngressTask',
    'ScannersTask',
    'SweepersPublishQueueMetrics',
  ])
})

test('nobody scans a table, and no action has a wildcard', () => {
  for (const { Action } of statementsOf(made, '')) {
    for (const action of [Action].flat()) {
      expect(action).not.toBe('dynamodb:Scan')
      expect(action).not.toContain('*')
    }
  }
})

test('a key of the stage is used by those who read and write contents', () => {
  expect(may(made, 'ScannersTaskDefinitionTaskRole', 'kms')).toEqual(
    expect.arrayContaining([expect.stringMatching(/^GenerateDataKey/), expect.stringMatching(/^Decrypt/)]),
  )
  expect(may(functions, 'DeliveryFunctionServiceRole', 'kms')).toEqual([])
})

test('a task reads its own secrets only', () => {
  const reads = (role: string) =>
    statementsOf(made, role)
      .filter(({ Action }) => [Action].flat().includes('secretsmanager:GetSecretValue'))
      .flatMap(({ Resource }) => [Resource].flat())
      .map(resource => JSON.stringify(resource).replace(/.*RefSecrets(\w+?)[0-9A-F]{8}.*/, '$1'))
  expect(reads('ScannersTaskDefinitionExecutionRole').toSorted()).toEqual(['ReleaseKey', 'RspamdPassword'])
  expect(reads('IngressTaskDefinitionExecutionRole')).toEqual([])
})

test('roles are taken by the services that run them', () => {
  const roles = made.resources('pipeline', 'AWS::IAM::Role') as Record<string, Resource>
  for (const { Properties } of Object.values(roles)) {
    for (const { Principal } of Properties.AssumeRolePolicyDocument.Statement) {
      expect(SERVICES).toContain(Principal.Service)
    }
  }
})
