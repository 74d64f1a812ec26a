// Findings of cdk-nag that are as they should be, each with its reason. A finding that is not acknowledged here, where the
// resource is made, stops `cdk synth`.
import { Validations } from 'aws-cdk-lib'
import type { IConstruct } from 'constructs'

/** `reasons`: rule of AwsSolutions (`S1`, `IAM5[Resource::*]`) to why it does not concern this resource or its children. */
export function acknowledge(scope: IConstruct, reasons: Readonly<Record<string, string>>): void {
  const found = Object.entries(reasons).map(([rule, reason]) => ({ id: `AwsSolutions-${rule}`, reason }))
  Validations.of(scope).acknowledge(...found)
}
