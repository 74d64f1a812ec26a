// What the container stack's emulator of AWS is asked to make, from what the CDK makes it from: the schema of tables,
// queues and bucket, and the names by which roles find them. Requests as data, so that the emulator's start needs nothing
// but Python (local/aws/ready.d). Pure.
import { RESOURCE_VARIABLES, stackName } from '../lib/names.ts'
import { EMULATOR, TOPIC_NAMES } from '../monitoring/aws/container-alertmanager.ts'
import { JOB_QUEUE, POLICY_TABLE, QUEUES, RECORDS_TABLE } from '../src/storage/aws-schema.ts'
import { tableRequest, timeToLiveRequest } from '../src/storage/create-table-dynamodb.ts'

const { region: REGION, account: ACCOUNT, endpoint: ENDPOINT } = EMULATOR
const data = (name: string) => `${stackName('local', 'data')}-${name}`
const NAMES = {
  bucket: data('mail'),
  records: data('records'),
  policy: data('policy'),
  queues: Object.fromEntries(QUEUES.map(queue => [queue, data(queue)])) as Record<(typeof QUEUES)[number], string>,
}

/** The variables that each role finds its resources by. */
export function resourceVariables(): Record<string, string> {
  const queueUrl = (name: string) => `${ENDPOINT}/${ACCOUNT}/${name}`
  return {
    [RESOURCE_VARIABLES.bucket]: NAMES.bucket,
    [RESOURCE_VARIABLES.recordsTable]: NAMES.records,
    [RESOURCE_VARIABLES.policyTable]: NAMES.policy,
    [RESOURCE_VARIABLES.scanQueue]: queueUrl(NAMES.queues.scan),
    [RESOURCE_VARIABLES.deliveryQueue]: queueUrl(NAMES.queues.delivery),
  }
}

type Request = Readonly<{
  about: string
  service: 'dynamodb' | 'sqs' | 'sns' | 's3'
  method: 'POST' | 'PUT'
  path: string
  headers: Readonly<Record<string, string>>
  body: string
}>

/** The text of local/aws/resources.json. */
export function renderResources(): string {
  return `${JSON.stringify({ region: REGION, requests: requests() }, undefined, 2)}\n`
}

function requests(): Request[] {
  return [
    ...[
      { name: NAMES.records, schema: RECORDS_TABLE },
      { name: NAMES.policy, schema: POLICY_TABLE },
    ].flatMap(({ name, schema }) => [
      dynamodb('CreateTable', tableRequest(name, schema), name),
      dynamodb('UpdateTimeToLive', timeToLiveRequest(name, schema), name),
    ]),
    ...Object.values(NAMES.queues).flatMap(queueWithDeadLetters),
    ...TOPIC_NAMES.map(topic),
    { about: `CreateBucket ${NAMES.bucket}`, service: 's3', method: 'PUT', path: `/${NAMES.bucket}`, ...bucketPlace() },
  ]
}

function dynamodb(action: string, body: object, name: string): Request {
  return json({ service: 'dynamodb', target: `DynamoDB_20120810.${action}`, version: '1.0', body, name })
}

function queueWithDeadLetters(name: string): Request[] {
  const { visibilityTimeout, retention, waitTime, maxReceiveCount, deadLetterRetention } = JOB_QUEUE
  const deadLetters = `${name}-dead-letters`
  const redrive = { deadLetterTargetArn: `arn:aws:sqs:${REGION}:${ACCOUNT}:${deadLetters}`, maxReceiveCount }
  return [
    queue(deadLetters, { MessageRetentionPeriod: String(deadLetterRetention) }),
    queue(name, {
      VisibilityTimeout: String(visibilityTimeout),
      MessageRetentionPeriod: String(retention),
      ReceiveMessageWaitTimeSeconds: String(waitTime),
      RedrivePolicy: JSON.stringify(redrive),
    }),
  ]
}

function queue(QueueName: string, Attributes: Readonly<Record<string, string>>): Request {
  const body = { QueueName, Attributes }
  return json({ service: 'sqs', target: 'AmazonSQS.CreateQueue', version: '1.0', body, name: QueueName })
}

type Json = Readonly<{ service: 'dynamodb' | 'sqs'; target: string; version: string; body: object; name: string }>

function json({ service, target, version, body, name }: Json): Request {
  const headers = { 'X-Amz-Target': target, 'Content-Type': `application/x-amz-json-${version}` }
  const about = `${target.split('.').at(-1)} ${name}`
  return { about, service, method: 'POST', path: '/', headers, body: JSON.stringify(body) }
}

function topic(name: string): Request {
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded' }
  const body = new URLSearchParams({ Action: 'CreateTopic', Version: '2010-03-31', Name: name }).toString()
  return { about: `CreateTopic ${name}`, service: 'sns', method: 'POST', path: '/', headers, body }
}

function bucketPlace(): Pick<Request, 'headers' | 'body'> {
  const place = `<LocationConstraint>${REGION}</LocationConstraint>`
  return {
    headers: { 'Content-Type': 'application/xml' },
    body: `<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${place}</CreateBucketConfiguration>`,
  }
}
