// Who may do what to stored mail, records and jobs: one list for each role, given where the role is made. The ingress, which
// the world talks to, can put new contents and wake a worker, and can read no mail. No resource is `*`; a prefix of the
// bucket ends in `/*` because objects in it are named after messages.
import { type IResource, Stack } from 'aws-cdk-lib'
import { Effect, type IGrantable, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { MAIL_BUCKET } from '../../src/storage/aws-schema.ts'
import type { Storage } from '../data-stack.ts'
import type { Role } from '../gateway-config.ts'
import { acknowledge } from './acknowledge.ts'
import type { JobQueue } from './job-queue.ts'

const { incoming, quarantine, signatures } = MAIL_BUCKET.prefixes

const READ_ITEMS = ['dynamodb:GetItem', 'dynamodb:BatchGetItem', 'dynamodb:Query']
const WRITE_ITEMS = ['dynamodb:PutItem', 'dynamodb:UpdateItem', 'dynamodb:DeleteItem', 'dynamodb:ConditionCheckItem']
const WRITE_MANY = ['dynamodb:BatchWriteItem']
const CONSUME = ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:ChangeMessageVisibility']
const ASK_LENGTH = ['sqs:GetQueueAttributes']
const SEND = ['sqs:SendMessage']

const READ_ENCRYPTED = ['kms:Decrypt']
// S3 reads the parts of an upload again when it puts them together.
const WRITE_ENCRYPTED = ['kms:GenerateDataKey', ...READ_ENCRYPTED]

type Grants = Readonly<{
  /** Actions on objects below a prefix. */
  objects: readonly (readonly [prefix: string, actions: readonly string[]])[]
  /** Prefixes whose names may be listed. */
  list: readonly string[]
  items: readonly string[]
  scanJobs: readonly string[]
  deliveryJobs: readonly string[]
}>

const PUT = ['s3:PutObject', 's3:AbortMultipartUpload']
const REMOVE = ['s3:DeleteObject']
const READ = ['s3:GetObject']

export const GRANTS: Readonly<Record<Role, Grants>> = {
  ingress: {
    objects: [[incoming, PUT]],
    list: [],
    items: [...READ_ITEMS, ...WRITE_ITEMS, ...WRITE_MANY],
    scanJobs: [...SEND, ...ASK_LENGTH],
    deliveryJobs: ASK_LENGTH,
  },
  scan: {
    objects: [
      [incoming, [...READ, ...PUT, ...REMOVE]],
      [quarantine, [...READ, ...PUT, ...REMOVE]],
    ],
    list: [],
    items: [...READ_ITEMS, ...WRITE_ITEMS, ...WRITE_MANY],
    scanJobs: [...CONSUME, ...SEND, ...ASK_LENGTH],
    deliveryJobs: [...SEND, ...ASK_LENGTH],
  },
  delivery: {
    // It puts the reports that it sends.
    objects: [[incoming, [...READ, ...PUT, ...REMOVE]]],
    list: [],
    items: [...READ_ITEMS, ...WRITE_ITEMS, ...WRITE_MANY],
    scanJobs: ASK_LENGTH,
    deliveryJobs: [...CONSUME, ...SEND, ...ASK_LENGTH],
  },
  upkeep: {
    // It removes what no record names and what has been in quarantine for long enough.
    objects: [
      [incoming, [...READ, ...PUT, ...REMOVE]],
      [quarantine, [...READ, ...REMOVE]],
    ],
    list: [incoming, quarantine],
    items: [...READ_ITEMS, ...WRITE_ITEMS, ...WRITE_MANY],
    scanJobs: [...SEND, ...ASK_LENGTH],
    deliveryJobs: [...SEND, ...ASK_LENGTH],
  },
}

/** Gives a role of a task or function what GRANTS lists for it. */
export function grantRole(grantee: IGrantable, role: Role, storage: Storage): void {
  const { objects, list, items, scanJobs, deliveryJobs } = GRANTS[role]
  for (const [prefix, actions] of objects) allowBelow(grantee, actions, storage, prefix)
  for (const prefix of list) allowListing(grantee, storage, prefix)
  const tables = [storage.records.tableArn, storage.policy.tableArn]
  allow(grantee, items, tables)
  allow(
    grantee,
    ['dynamodb:Query'],
    tables.map(arn => `${arn}/index/*`),
  )
  for (const table of [storage.records, storage.policy]) {
    explainWildcard(grantee, table, table.tableArn, '/index/*', 'All indexes of one table')
  }
  allowQueue(grantee, scanJobs, storage.scanJobs)
  allowQueue(grantee, deliveryJobs, storage.deliveryJobs)
  allowKey(grantee, storage, WRITE_ENCRYPTED)
}

/** What the scanners may: look for new signatures. */
export function grantSignatures(grantee: IGrantable, storage: Storage): void {
  allowBelow(grantee, READ, storage, signatures)
  allowListing(grantee, storage, signatures)
  allowKey(grantee, storage, READ_ENCRYPTED)
}

/** What the one that brings them may. */
export function grantSignatureMirror(grantee: IGrantable, storage: Storage): void {
  grantSignatures(grantee, storage)
  allowBelow(grantee, [...PUT, ...REMOVE], storage, signatures)
  allowKey(grantee, storage, WRITE_ENCRYPTED)
}

function allowBelow(grantee: IGrantable, actions: readonly string[], { bucket }: Storage, prefix: string): void {
  const below = `${prefix}*`
  allow(grantee, actions, [bucket.arnForObjects(below)])
  explainWildcard(grantee, bucket, bucket.bucketArn, `/${below}`, `Objects below ${prefix} are named after messages`)
}

/** cdk-nag names a resource of another stack by the name under which its ARN is exported. */
function explainWildcard(grantee: IGrantable, owner: IResource, arn: string, wildcard: string, reason: string): void {
  const { grantPrincipal } = grantee as IGrantable & { grantPrincipal: IResource }
  acknowledge(grantPrincipal, { [`IAM5[Resource::${nameOf(owner, arn)}${wildcard}]`]: reason })
}

/** As cdk-nag writes it: a table that was restored is none of the stack's resources, and exported by nobody. */
function nameOf(owner: IResource, arn: string): string {
  const stack = Stack.of(owner)
  const resolved = stack.resolve(arn) as object
  if ('Fn::Join' in resolved) {
    const [, parts] = resolved['Fn::Join'] as [string, (string | { Ref: string })[]]
    return parts.map(part => (typeof part === 'string' ? part : `<${part.Ref}>`)).join('')
  }
  const exported = stack.resolve(stack.exportValue(arn)) as { 'Fn::ImportValue': string }
  return exported['Fn::ImportValue']
}

function allowListing(grantee: IGrantable, { bucket }: Storage, prefix: string): void {
  const conditions = { StringLike: { 's3:prefix': `${prefix}*` } }
  grantee.grantPrincipal.addToPrincipalPolicy(
    new PolicyStatement({ actions: ['s3:ListBucket'], resources: [bucket.bucketArn], conditions }),
  )
}

function allowKey(grantee: IGrantable, { bucket: { encryptionKey } }: Storage, actions: readonly string[]): void {
  if (encryptionKey !== undefined) allow(grantee, actions, [encryptionKey.keyArn])
}

function allowQueue(grantee: IGrantable, actions: readonly string[], { queue }: JobQueue): void {
  allow(grantee, actions, [queue.queueArn])
}

function allow(grantee: IGrantable, actions: readonly string[], resources: readonly string[]): void {
  grantee.grantPrincipal.addToPrincipalPolicy(
    new PolicyStatement({ effect: Effect.ALLOW, actions: [...actions], resources: [...resources] }),
  )
}
