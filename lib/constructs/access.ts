// Who may do what to stored mail, records and jobs: one list for each role, given where the role is made. The ingress, which
// the world talks to, can put new contents and wake a worker, and can read no mail. No resource is `*`; a prefix of the
// bucket ends in `/*` because objects in it are named after messages.
import { Effect, type IGrantable, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { MAIL_BUCKET } from '../../src/storage/aws-schema.ts'
import type { Storage } from '../data-stack.ts'
import type { Role } from '../gateway-config.ts'
import type { JobQueue } from './job-queue.ts'

const { incoming, quarantine, signatures } = MAIL_BUCKET.prefixes

const READ_ITEMS = ['dynamodb:GetItem', 'dynamodb:BatchGetItem', 'dynamodb:Query']
const WRITE_ITEMS = ['dynamodb:PutItem', 'dynamodb:UpdateItem', 'dynamodb:DeleteItem', 'dynamodb:ConditionCheckItem']
const WRITE_MANY = ['dynamodb:BatchWriteItem']
const CONSUME = ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:ChangeMessageVisibility']
const ASK_LENGTH = ['sqs:GetQueueAttributes']
const SEND = ['sqs:SendMessage']

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
  for (const [prefix, actions] of objects) allow(grantee, actions, [objectsBelow(storage, prefix)])
  for (const prefix of list) allowListing(grantee, storage, prefix)
  const tables = [storage.records.tableArn, storage.policy.tableArn]
  allow(grantee, items, tables)
  // An index has no name of its own in a statement about several tables.
  allow(
    grantee,
    ['dynamodb:Query'],
    tables.map(arn => `${arn}/index/*`),
  )
  allowQueue(grantee, scanJobs, storage.scanJobs)
  allowQueue(grantee, deliveryJobs, storage.deliveryJobs)
  storage.bucket.encryptionKey?.grantEncryptDecrypt(grantee)
}

/** What the scanners may: look for new signatures. */
export function grantSignatures(grantee: IGrantable, storage: Storage): void {
  allow(grantee, READ, [objectsBelow(storage, signatures)])
  allowListing(grantee, storage, signatures)
  storage.bucket.encryptionKey?.grantDecrypt(grantee)
}

/** What the one that brings them may. */
export function grantSignatureMirror(grantee: IGrantable, storage: Storage): void {
  grantSignatures(grantee, storage)
  allow(grantee, [...PUT, ...REMOVE], [objectsBelow(storage, signatures)])
  storage.bucket.encryptionKey?.grantEncryptDecrypt(grantee)
}

function objectsBelow({ bucket }: Storage, prefix: string): string {
  return bucket.arnForObjects(`${prefix}*`)
}

function allowListing(grantee: IGrantable, { bucket }: Storage, prefix: string): void {
  const conditions = { StringLike: { 's3:prefix': `${prefix}*` } }
  grantee.grantPrincipal.addToPrincipalPolicy(
    new PolicyStatement({ actions: ['s3:ListBucket'], resources: [bucket.bucketArn], conditions }),
  )
}

function allowQueue(grantee: IGrantable, actions: readonly string[], { queue }: JobQueue): void {
  allow(grantee, actions, [queue.queueArn])
}

function allow(grantee: IGrantable, actions: readonly string[], resources: readonly string[]): void {
  grantee.grantPrincipal.addToPrincipalPolicy(
    new PolicyStatement({ effect: Effect.ALLOW, actions: [...actions], resources: [...resources] }),
  )
}
