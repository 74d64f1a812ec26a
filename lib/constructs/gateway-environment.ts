// What a container or function of the gateway finds in its environment: the configuration as text, and the names of what
// mail is kept in. Secrets are not here: ECS puts them there when a task starts, functions fetch them.
import type { Storage } from '../data-stack.ts'
import type { DeploymentSettings } from '../deployment-settings.ts'
import { gatewayConfig, type Role } from '../gateway-config.ts'
import { RESOURCE_VARIABLES } from '../names.ts'

/** ELEMTA_CONFIG_YAML and the variables that it names. */
export function gatewayEnvironment(settings: DeploymentSettings, role: Role, storage: Storage): Record<string, string> {
  return {
    ELEMTA_CONFIG_YAML: gatewayConfig(settings, role),
    [RESOURCE_VARIABLES.bucket]: storage.bucket.bucketName,
    [RESOURCE_VARIABLES.recordsTable]: storage.records.tableName,
    [RESOURCE_VARIABLES.policyTable]: storage.policy.tableName,
    [RESOURCE_VARIABLES.scanQueue]: storage.scanJobs.queue.queueUrl,
    [RESOURCE_VARIABLES.deliveryQueue]: storage.deliveryJobs.queue.queueUrl,
  }
}
