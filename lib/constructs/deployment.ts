// How a new version replaces the old one: beside it, and back again when it does not come up.
import type { FargateServiceProps } from 'aws-cdk-lib/aws-ecs'

export const DEPLOYMENT = {
  circuitBreaker: { enable: true, rollback: true },
  minHealthyPercent: 100,
  maxHealthyPercent: 200,
  assignPublicIp: false,
} as const satisfies Partial<FargateServiceProps>
