// What must not be lost: mail, records, what policies remember, jobs, secrets. Protected against deletion, and kept even
// when the stack goes, unless settings.data.retain is false. Everything else can be made again from the code.
import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib'
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb'
import type { Bucket } from 'aws-cdk-lib/aws-s3'
import type { Construct } from 'constructs'
import { JOB_QUEUE, POLICY_TABLE, RECORDS_TABLE } from '../src/storage/aws-schema.ts'
import { JobQueue } from './constructs/job-queue.ts'
import { MailBucket } from './constructs/mail-bucket.ts'
import { Secrets } from './constructs/secrets.ts'
import { Table } from './constructs/table.ts'
import type { DeploymentSettings } from './deployment-settings.ts'
import { DATA_OUTPUTS } from './names.ts'

export type DataStackProps = StackProps & Readonly<{ settings: DeploymentSettings }>

/** What mail is kept in, as the other stacks see it. */
export type Storage = Readonly<{
  bucket: Bucket
  records: TableV2
  policy: TableV2
  scanJobs: JobQueue
  deliveryJobs: JobQueue
}>

export class DataStack extends Stack {
  readonly storage: Storage
  readonly secrets: Secrets

  constructor(scope: Construct, id: string, { settings, ...props }: DataStackProps) {
    super(scope, id, { ...props, terminationProtection: settings.data.retain })
    const { data } = settings
    const { retain, pointInTimeRecovery } = data
    const jobQueue = { schema: JOB_QUEUE, retain }
    this.storage = {
      bucket: new MailBucket(this, 'Mail', { data }).bucket,
      records: new Table(this, 'Records', { schema: RECORDS_TABLE, data, pointInTimeRecovery }).table,
      policy: new Table(this, 'Policy', { schema: POLICY_TABLE, data, pointInTimeRecovery: false }).table,
      scanJobs: new JobQueue(this, 'ScanJobs', jobQueue),
      deliveryJobs: new JobQueue(this, 'DeliveryJobs', jobQueue),
    }
    this.secrets = new Secrets(this, 'Secrets', { settings })
    this.tellNames()
  }

  private tellNames(): void {
    const { bucket, records, policy, scanJobs, deliveryJobs } = this.storage
    const values: Readonly<Record<keyof typeof DATA_OUTPUTS, string>> = {
      bucket: bucket.bucketName,
      recordsTable: records.tableName,
      policyTable: policy.tableName,
      scanQueue: scanJobs.queue.queueUrl,
      deliveryQueue: deliveryJobs.queue.queueUrl,
      scanDeadLetters: scanJobs.deadLetters.queueUrl,
      deliveryDeadLetters: deliveryJobs.deadLetters.queueUrl,
      releaseKey: this.secrets.releaseKey.secretArn,
    }
    for (const [name, output] of Object.entries(DATA_OUTPUTS)) {
      new CfnOutput(this, output, { value: values[name as keyof typeof DATA_OUTPUTS] })
    }
  }
}
