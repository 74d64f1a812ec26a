// Findings of cdk-nag that are as they should be, each with its reason. A finding that is not acknowledged here, where the
// resource is made, stops `cdk synth`.
import { type CfnResource, Validations } from 'aws-cdk-lib'
import type { IConstruct } from 'constructs'

/** `reasons`: rule of AwsSolutions (`S1`, `IAM5[Resource::*]`) to why it does not concern this resource or its children. */
export function acknowledge(scope: IConstruct, reasons: Readonly<Record<string, string>>): void {
  const found = Object.entries(reasons).map(([rule, reason]) => ({ id: `AwsSolutions-${rule}`, reason }))
  Validations.of(scope).acknowledge(...found)
}

/**
 * A resource with text of ours in which `${NAME}` is not CloudFormation's to fill in: the gateway and the collector do that,
 * from their environment.
 */
export function acknowledgeVariables(resource: CfnResource): void {
  const reason = 'Variables of the configuration of the gateway and of its collector, which read them themselves'
  Validations.of(resource).acknowledge({ id: 'CloudFormation-Validate::E1029', reason })
  resource.addMetadata('cfn-lint', { config: { ignore_checks: ['E1029'] } })
}
