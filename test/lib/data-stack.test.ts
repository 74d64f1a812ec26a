// What must not be lost is kept, encrypted, and reached over TLS only.
import { Match } from 'aws-cdk-lib/assertions'
import { expect, test, vi } from 'vitest'
import { DATA_OUTPUTS } from '../../lib/names.ts'
import { type IndexSchema, JOB_QUEUE, MAIL_BUCKET, POLICY_TABLE, RECORDS_TABLE } from '../../src/storage/aws-schema.ts'
import { containersOf, environmentOf, type Resource, synthesize } from './synth.ts'

// Making a template takes a second on a machine with nothing else to do.
vi.setConfig({ testTimeout: 120_000 })

const kept = synthesize({ data: { retain: true, encryption: 'own-key' } })
const passing = synthesize({ data: { retain: false, pointInTimeRecovery: false } })

const STATEFUL = [
  'AWS::S3::Bucket',
  'AWS::DynamoDB::GlobalTable',
  'AWS::SQS::Queue',
  'AWS::SecretsManager::Secret',
  'AWS::KMS::Key',
]

test.each(STATEFUL)('%s outlives its stack where data.retain says so, and only there', type => {
  const policies = (resources: Record<string, Resource>) =>
    new Set(
      Object.values(resources).flatMap(({ DeletionPolicy, UpdateReplacePolicy }) => [
        DeletionPolicy,
        UpdateReplacePolicy,
      ]),
    )
  expect(policies(kept.resources('data', type))).toEqual(new Set(['Retain']))
  if (type !== 'AWS::KMS::Key') expect(policies(passing.resources('data', type))).toEqual(new Set(['Delete']))
})

test('the stack cannot be deleted where data.retain says so', () => {
  expect(kept.stacks.data.terminationProtection).toBe(true)
  expect(passing.stacks.data.terminationProtection).toBe(false)
  for (const { Properties } of Object.values(kept.resources('data', 'AWS::DynamoDB::GlobalTable'))) {
    expect(Properties.Replicas).toMatchObject([{ DeletionProtectionEnabled: true }])
  }
})

test('buckets are private, encrypted and TLS-only', () => {
  const buckets = kept.resources('data', 'AWS::S3::Bucket')
  expect(Object.keys(buckets)).toHaveLength(2)
  for (const { Properties } of Object.values(buckets)) {
    expect(Properties.PublicAccessBlockConfiguration).toEqual({
      BlockPublicAcls: true,
      BlockPublicPolicy: true,
      IgnorePublicAcls: true,
      RestrictPublicBuckets: true,
    })
    expect(Properties.BucketEncryption).toBeDefined()
    expect(Properties.OwnershipControls).toEqual({ Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] })
  }
  const refuses = (Condition: object) =>
    Match.arrayWith([Match.objectLike({ Effect: 'Deny', Action: 's3:*', Principal: { AWS: '*' }, Condition })])
  for (const Condition of [
    { Bool: { 'aws:SecureTransport': 'false' } },
    { NumericLessThan: { 's3:TlsVersion': 1.2 } },
  ]) {
    kept
      .template('data')
      .resourcePropertiesCountIs('AWS::S3::BucketPolicy', { PolicyDocument: { Statement: refuses(Condition) } }, 2)
  }
})

test('mail is encrypted with a key of the stage where that is asked for', () => {
  const [rule] = kept.one('data', 'AWS::S3::Bucket', 'MailBucket').Properties.BucketEncryption
    .ServerSideEncryptionConfiguration
  expect(rule).toMatchObject({ BucketKeyEnabled: true, ServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms' } })
  kept.template('data').hasResourceProperties('AWS::KMS::Key', { EnableKeyRotation: true })
  passing.template('data').resourceCountIs('AWS::KMS::Key', 0)
  const [plain] = passing.one('data', 'AWS::S3::Bucket', 'MailBucket').Properties.BucketEncryption
    .ServerSideEncryptionConfiguration
  expect(plain.ServerSideEncryptionByDefault).toEqual({ SSEAlgorithm: 'AES256' })
})

test('no rule of the bucket takes mail away by its age', () => {
  const { Rules } = kept.one('data', 'AWS::S3::Bucket', 'MailBucket').Properties.LifecycleConfiguration
  expect(Rules.map((rule: object) => Object.keys(rule))).not.toContainEqual(
    expect.arrayContaining(['ExpirationInDays']),
  )
  expect(Rules).toContainEqual(
    expect.objectContaining({
      AbortIncompleteMultipartUpload: { DaysAfterInitiation: MAIL_BUCKET.lifecycle.abortIncompleteUploads },
    }),
  )
})

test.each([
  ['Records', RECORDS_TABLE],
  ['Policy', POLICY_TABLE],
] as const)('the table %s is what the adapters expect', (id, schema) => {
  const { Properties } = kept.one('data', 'AWS::DynamoDB::GlobalTable', id)
  const keys = (partition: string, sort: string) => [
    { AttributeName: partition, KeyType: 'HASH' },
    { AttributeName: sort, KeyType: 'RANGE' },
  ]
  expect(Properties).toMatchObject({
    BillingMode: 'PAY_PER_REQUEST',
    KeySchema: keys(schema.partition, schema.sort),
    TimeToLiveSpecification: { AttributeName: schema.timeToLive, Enabled: true },
  })
  expect(Properties.GlobalSecondaryIndexes).toEqual(
    schema.indexes.map(({ name, partition, sort, include }: IndexSchema) => ({
      IndexName: name,
      KeySchema: keys(partition, sort),
      Projection:
        include === undefined
          ? { ProjectionType: 'KEYS_ONLY' }
          : { ProjectionType: 'INCLUDE', NonKeyAttributes: include },
    })),
  )
})

test('records can be brought back, what policies remember need not', () => {
  const recovery = (id: string) =>
    kept.one('data', 'AWS::DynamoDB::GlobalTable', id).Properties.Replicas[0].PointInTimeRecoverySpecification
  expect(recovery('Records')).toEqual({ PointInTimeRecoveryEnabled: true })
  expect(recovery('Policy')).toEqual({ PointInTimeRecoveryEnabled: false })
})

test('a stage works with tables that were restored, keeps its own, and takes nothing from other stacks before they let go', () => {
  const data = { retain: true } as const
  const [own, restored] = [
    synthesize({ data }),
    synthesize({ data: { ...data, restored: { records: 'records-again' } } }),
  ]
  const tables = (made: typeof own) => Object.keys(made.resources('data', 'AWS::DynamoDB::GlobalTable'))
  expect(tables(restored)).toEqual(tables(own))
  const outputs = (made: typeof own) => made.template('data').toJSON().Outputs
  expect(outputs(restored)[DATA_OUTPUTS.recordsTable].Value).toBe('records-again')
  expect(outputs(restored)[DATA_OUTPUTS.policyTable]).toEqual(outputs(own)[DATA_OUTPUTS.policyTable])
  expect(Object.keys(outputs(restored))).toEqual(expect.arrayContaining(Object.keys(outputs(own))))

  const { gateway } = containersOf(restored, 'IngressTask')
  expect(environmentOf(gateway!).ELEMTA_RECORDS_TABLE).toBe('records-again')
  const policies = JSON.stringify(restored.resources('pipeline', 'AWS::IAM::Policy', 'IngressTask'))
  expect(policies).toContain(':table/records-again')
  expect(policies).toContain(':table/records-again/index/*')
  expect(policies).not.toContain('RecordsTable')
})

test('each queue has a dead-letter queue, is encrypted, and is spoken to over TLS only', () => {
  const queues = kept.resources('data', 'AWS::SQS::Queue')
  const withDeadLetters = Object.values(queues).filter(({ Properties }) => Properties.RedrivePolicy)
  expect([Object.keys(queues).length, withDeadLetters.length]).toEqual([4, 2])
  for (const { Properties } of withDeadLetters) {
    expect(Properties).toMatchObject({
      VisibilityTimeout: JOB_QUEUE.visibilityTimeout,
      MessageRetentionPeriod: JOB_QUEUE.retention,
      ReceiveMessageWaitTimeSeconds: JOB_QUEUE.waitTime,
      RedrivePolicy: { maxReceiveCount: JOB_QUEUE.maxReceiveCount },
    })
  }
  for (const { Properties } of Object.values(queues)) expect(Properties.SqsManagedSseEnabled).toBe(true)
  kept.template('data').resourcePropertiesCountIs(
    'AWS::SQS::QueuePolicy',
    {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
        ]),
      },
    },
    4,
  )
})

test('a secret is made only where it is asked for, and its output says how to fill it', () => {
  const names = (made: typeof kept) =>
    Object.keys(made.resources('data', 'AWS::SecretsManager::Secret')).map(id => id.slice('Secrets'.length, -8))
  expect(names(passing)).toEqual(['RspamdPassword', 'ReleaseKey'])
  const asked = synthesize({
    tls: 'secret',
    submission: { enabled: true },
    routes: [{ domains: ['*'], to: 'smtps://mail.example.com:465', auth: true }],
    scan: { dqs: true },
    alerts: { slack: true, critical: ['a@example.com'] },
  })
  expect(names(asked)).toEqual(
    expect.arrayContaining(['TlsCertificate', 'Users', 'NextHopCredentials', 'SpamhausDqsKey', 'SlackWebhook']),
  )
  asked.template('data').hasOutput('*', { Description: 'JSON with the fields user, password', Value: Match.anyValue() })
})

test('the outputs are what the command line looks for', () => {
  for (const output of Object.values(DATA_OUTPUTS)) kept.template('data').hasOutput(output, {})
})
