// The templates of the stages that the repository ships: cfn-lint has nothing against them, and the CloudFormation of
// emulators makes of them what the adapters expect. What an emulator does not know is listed in emulators.ts; nothing
// else is left out.
import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { promisify } from 'node:util'
import { DescribeTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import {
  CreateBucketCommand,
  GetBucketPolicyCommand,
  GetBucketVersioningCommand,
  GetPublicAccessBlockCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { GetTopicAttributesCommand, SNSClient } from '@aws-sdk/client-sns'
import { GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest'
import { DATA_OUTPUTS, STACKS, type StackPart, stackName } from '../../lib/names.ts'
import { JOB_QUEUE, POLICY_TABLE, RECORDS_TABLE, type TableSchema } from '../../src/storage/aws-schema.ts'
import { elemta } from '../pipeline/program.ts'
import { createStack, type Made, putParameter, without } from './cloudformation.ts'
import { LEFT_OUT } from './emulators.ts'
import { type Synthesized, synthesizeStage } from './synthesized.ts'

const EMULATORS = Object.entries(inject('emulators') ?? {})
const REGION = 'eu-central-1'
const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
/** As `cdk bootstrap` calls it. */
const ASSETS = `cdk-hnb659fds-assets-000000000000-${REGION}`

// A stage takes ten seconds to synthesize on a machine with nothing else to do, and a minute on a busy one.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 300_000 })

const stages = new Map<string, Synthesized>()
beforeAll(async () => {
  for (const stage of ['dev', 'prod']) stages.set(stage, await synthesizeStage(stage))
})
afterAll(() => {
  for (const { directory } of stages.values()) rmSync(directory, { recursive: true })
})

test.each(['dev', 'prod'])('cfn-lint finds no error and no warning in the templates of %s', async stage => {
  // W3005: CDK says a dependency twice, where a resource needs another's policy as well. W3010: zones are a setting.
  const args = ['--ignore-checks', 'W3005', 'W3010', '--', ...stages.get(stage)!.files]
  const { stdout } = await promisify(execFile)(inject('cfnLint')!, args).catch(error => error as { stdout: string })
  expect(stdout).toBe('')
})

test.each(Object.entries(LEFT_OUT))('what is left out for %s is in a template', (_, types) => {
  const used = [...stages.values()].flatMap(({ template }) =>
    STACKS.flatMap(part => Object.values(template(part).Resources).map(({ Type }) => Type)),
  )
  expect(Object.keys(types).filter(type => !used.includes(type))).toEqual([])
})

describe.each(EMULATORS.flatMap(([name, endpoint]) => ['dev', 'prod'].map(stage => ({ name, endpoint, stage }))))(
  '$stage on $name',
  ({ name, endpoint, stage }) => {
    const settings = { endpoint, region: REGION, credentials }
    const s3 = new S3Client({ ...settings, forcePathStyle: true })
    const sqs = new SQSClient(settings)
    const sns = new SNSClient(settings)
    const dynamodb = new DynamoDBClient(settings)
    const leftOut = new Set(Object.keys(LEFT_OUT[name]!))
    const made = {} as Record<StackPart, Made>
    afterAll(() => {
      for (const client of [s3, sqs, sns, dynamodb]) client.destroy()
    })

    /** Physical ids of resources that were made. */
    const idsOf = (part: StackPart, type: string) =>
      Object.entries(stages.get(stage)!.template(part).Resources)
        .filter(([, { Type }]) => Type === type)
        .map(([id]) => made[part].resources[id]!.physicalId)

    test('is deployed, all but what is listed', async () => {
      const { template, assets } = stages.get(stage)!
      const put = (Key: string, Body: Buffer | string) => s3.send(new PutObjectCommand({ Bucket: ASSETS, Key, Body }))
      const here = { LocationConstraint: REGION } as const
      await s3.send(new CreateBucketCommand({ Bucket: ASSETS, CreateBucketConfiguration: here })).catch(error => {
        expect(error.name).toMatch(/^BucketAlready/)
      })
      for (const { key, content } of assets()) await put(key, content)
      await putParameter(settings, '/cdk-bootstrap/hnb659fds/version', '30')
      for (const part of STACKS) {
        const deployable = without(template(part), leftOut)
        await put(`${stage}-${part}.json`, JSON.stringify(deployable))
        made[part] = await createStack(settings, stackName(stage, part), `${endpoint}/${ASSETS}/${stage}-${part}.json`)
        const { resources } = made[part]
        expect(Object.keys(resources).toSorted()).toEqual(Object.keys(deployable.Resources).toSorted())
        for (const [id, { status, physicalId }] of Object.entries(resources)) {
          expect([id, status], physicalId).toEqual([id, 'CREATE_COMPLETE'])
          expect(physicalId, `${id} has been skipped`).not.toMatch(/^(unknown)?$/)
        }
      }
    })

    test('queues are as the adapters expect them', async () => {
      const attributesOf = async (output: string) => {
        const QueueUrl = made.data.outputs[output]!
        return (await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }))).Attributes!
      }
      for (const [jobs, deadLetters] of [
        [DATA_OUTPUTS.scanQueue, DATA_OUTPUTS.scanDeadLetters],
        [DATA_OUTPUTS.deliveryQueue, DATA_OUTPUTS.deliveryDeadLetters],
      ] as const) {
        const [queue, dead] = [await attributesOf(jobs), await attributesOf(deadLetters)]
        expect(queue).toMatchObject({
          VisibilityTimeout: String(JOB_QUEUE.visibilityTimeout),
          MessageRetentionPeriod: String(JOB_QUEUE.retention),
          ReceiveMessageWaitTimeSeconds: String(JOB_QUEUE.waitTime),
        })
        const { deadLetterTargetArn, maxReceiveCount } = JSON.parse(queue.RedrivePolicy!)
        expect([deadLetterTargetArn, Number(maxReceiveCount)]).toEqual([dead.QueueArn, JOB_QUEUE.maxReceiveCount])
        expect(dead.MessageRetentionPeriod).toBe(String(JOB_QUEUE.deadLetterRetention))
        for (const { Policy } of [queue, dead]) expect(Policy).toContain('aws:SecureTransport')
      }
    })

    test('the bucket is private, spoken to over TLS only, and keeps what was replaced', async () => {
      const Bucket = made.data.outputs[DATA_OUTPUTS.bucket]!
      expect((await s3.send(new GetBucketVersioningCommand({ Bucket }))).Status).toBe('Enabled')
      const { PublicAccessBlockConfiguration } = await s3.send(new GetPublicAccessBlockCommand({ Bucket }))
      expect(Object.values(PublicAccessBlockConfiguration!)).toEqual([true, true, true, true])
      expect((await s3.send(new GetBucketPolicyCommand({ Bucket }))).Policy).toContain('aws:SecureTransport')
    })

    test('topics are made, and the services that alarm may publish to them', async () => {
      const topics = idsOf('monitoring', 'AWS::SNS::Topic')
      expect(topics).toHaveLength(3)
      for (const TopicArn of topics) {
        const { Attributes } = await sns.send(new GetTopicAttributesCommand({ TopicArn }))
        expect(Attributes?.Policy).toMatch(/(aps|cloudwatch)\.amazonaws\.com/)
      }
    })

    if (leftOut.has('AWS::DynamoDB::GlobalTable')) return

    test('tables are as the adapters expect them', async () => {
      for (const [output, schema] of [
        [DATA_OUTPUTS.recordsTable, RECORDS_TABLE],
        [DATA_OUTPUTS.policyTable, POLICY_TABLE],
      ] as [string, TableSchema][]) {
        const TableName = made.data.outputs[output]!
        const { Table } = await dynamodb.send(new DescribeTableCommand({ TableName }))
        const keys = ({ partition, sort }: { partition: string; sort: string }) => [
          { AttributeName: partition, KeyType: 'HASH' },
          { AttributeName: sort, KeyType: 'RANGE' },
        ]
        expect(Table?.KeySchema).toEqual(keys(schema))
        const indexes = Table?.GlobalSecondaryIndexes?.map(({ IndexName, KeySchema, Projection }) => {
          return [IndexName, KeySchema, Projection?.NonKeyAttributes]
        })
        const expected = schema.indexes.map(index => [index.name, keys(index), index.include])
        expect(indexes?.toSorted()).toEqual(expected.toSorted())
      }
    })

    test('the operator’s commands find the stage by its outputs', async () => {
      Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' })
      const ledger = await elemta('ledger', '--json', '--home', 'aws', '--stage', stage, '--endpoint', endpoint)
      expect([ledger.code, JSON.parse(ledger.stdout)]).toMatchObject([0, { accepted: 0, imbalance: 0 }])
    })
  },
)
