// The group `storage` of the configuration: where contents, records and jobs are kept.
import * as z from 'zod'

const name = () => z.string().min(1)

const aws = z.strictObject({
  region: name(),
  endpoint: z.url().optional().describe('Of an emulator, for all services; AWS itself needs none'),
  bucket: name().describe('Contents of messages'),
  records_table: name().describe('Records, deferrals and jobs'),
  policy_table: name().describe('What policies remember: greylists, failed logins'),
  scan_queue: z.url().describe('URL of the queue that wakes scan workers'),
  scan_queue_high: z.url().optional().describe('A queue of their own for urgent jobs; without it they use the other'),
  scan_queue_low: z.url().optional().describe('The same for jobs that nobody waits for'),
  delivery_queue: z.url().describe('URL of the queue that wakes delivery workers'),
  delivery_queue_high: z.url().optional(),
  delivery_queue_low: z.url().optional(),
})

export const storage = z.strictObject({
  home: z
    .enum(['embedded', 'aws'])
    .prefault('embedded')
    .describe('embedded: data_dir, one process. aws: S3, SQS and DynamoDB, any number of processes'),
  aws: aws.optional().describe('For home: aws. Credentials come from the environment or the role, as AWS has it'),
})

export type AwsStorage = z.output<typeof aws>
