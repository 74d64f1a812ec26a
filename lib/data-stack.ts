// What must not be lost: mail, records, what policies remember, jobs, secrets. Protected against deletion, and kept even
// when the stack goes, unless settings.data.retain is false. Everything else can be made again from the code. Where
// settings.data.restored names a table, the stage works with that one; its own stays, untouched.
import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib'
import { type ITableV2, TableV2 } from 'aws-cdk-lib/aws-dynamodb'
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
  records: ITableV2
  policy: ITableV2
  scanJobs: JobQueue
  deliveryJobs: JobQueue
}>

export class DataStack extends Stack {
  readonly storage: Storage
  readonly secrets: Secrets

  constructor(scope: Construct, id: string, { settings, ...props }: DataStackProps) {
    super(scope, id, { ...props, terminationProtection: settings.data.retain })
    const { data } = settings
    const { retain, pointInTimeRecovery, restored } = data
    const own = {
      records: new Table(this, 'Records', { schema: RECORDS_TABLE, data, pointInTimeRecovery }).table,
      policy: new Table(this, 'Policy', { schema: POLICY_TABLE, data, pointInTimeRecovery: false }).table,
    }
    const jobQueue = { schema: JOB_QUEUE, retain }
    this.storage = {
      bucket: new MailBucket(this, 'Mail', { data }).bucket,
      records: this.inPlaceOf(own.records, 'RestoredRecords', restored.records),
      policy: this.inPlaceOf(own.policy, 'RestoredPolicy', restored.policy),
      scanJobs: new JobQueue(this, 'ScanJobs', jobQueue),
      deliveryJobs: new JobQueue(this, 'DeliveryJobs', jobQueue),
    }
    this.secrets = new Secrets(this, 'Secrets', { settings })
    this.tellNames()
  }

  private inPlaceOf(own: TableV2, id: string, restored: string | undefined): ITableV2 {
    if (restored === undefined) return own as ITableV2
    // Still exported: the other stacks, which are deployed after this one, use them until then.
    for (const value of [own.tableArn, own.tableName]) this.exportValue(value)
    return TableV2.fromTableName(this, id, restored)
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
