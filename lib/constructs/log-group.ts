// A log group that ends: CloudWatch keeps lines for ever unless told otherwise, and charges for it.
import { RemovalPolicy } from 'aws-cdk-lib'
import { LogGroup } from 'aws-cdk-lib/aws-logs'
import type { Construct } from 'constructs'

/** Lines are kept for `days`; the group goes with its stack. */
export function logGroup(scope: Construct, id: string, days: number): LogGroup {
  return new LogGroup(scope, id, { retention: days, removalPolicy: RemovalPolicy.DESTROY })
}
