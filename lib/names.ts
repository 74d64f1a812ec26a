// The names by which a deployment is found again: its stacks and their outputs. No resource has a physical name; who
// needs one (the operator's command line, scripts) reads the stack's outputs. Plain data: no CDK here.

/** The stacks of a stage, in the order in which they are deployed. */
export const STACKS = ['network', 'data', 'monitoring', 'pipeline'] as const
export type StackPart = (typeof STACKS)[number]

/** `elemta-dev-data` */
export function stackName(stage: string, part: StackPart): string {
  return `elemta-${stage}-${part}`
}

/** Outputs of the data stack: what `storage.aws` of the configuration needs. */
export const DATA_OUTPUTS = {
  bucket: 'MailBucketName',
  recordsTable: 'RecordsTableName',
  policyTable: 'PolicyTableName',
  scanQueue: 'ScanQueueUrl',
  deliveryQueue: 'DeliveryQueueUrl',
  scanDeadLetters: 'ScanDeadLetterQueueUrl',
  deliveryDeadLetters: 'DeliveryDeadLetterQueueUrl',
  releaseKey: 'ReleaseKeySecretArn',
} as const

/** The variables of the environment by which every role finds the same resources (`${NAME}` in the configuration). */
export const RESOURCE_VARIABLES = {
  bucket: 'ELEMTA_BUCKET',
  recordsTable: 'ELEMTA_RECORDS_TABLE',
  policyTable: 'ELEMTA_POLICY_TABLE',
  scanQueue: 'ELEMTA_SCAN_QUEUE',
  deliveryQueue: 'ELEMTA_DELIVERY_QUEUE',
} as const
