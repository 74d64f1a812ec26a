// The home of a deployed stage: the configuration that its functions have, with the names of what it was deployed as, from
// the outputs of its data stack. Credentials are the operator's own, found as the AWS command line finds them.
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SettingsError } from '../../lib/deployment-settings.ts'
import { gatewayConfig } from '../../lib/gateway-config.ts'
import { DATA_OUTPUTS, RESOURCE_VARIABLES, stackName } from '../../lib/names.ts'
import { parseConfig } from '../../src/platform/config-load.ts'
import { EXIT, ExitError } from '../../src/platform/exit.ts'
import { stageSettings } from '../stage-settings.ts'
import type { OperatorHome } from './home-options.ts'
import { stackOutputs } from './stack-outputs.ts'

/** Throws ExitError for a stage that is none, that is not deployed, or that is not ours to see. */
export async function deployedHome(stage: string, endpoint?: string): Promise<Omit<OperatorHome, 'chosen'>> {
  const settings = await stageSettings(stage).catch(error => {
    throw error instanceof SettingsError ? new ExitError(EXIT.config, error.message) : error
  })
  const { region } = settings
  const stack = stackName(stage, 'data')
  const outputs = await stackOutputs(stack, { region, ...(endpoint !== undefined && { endpoint }) })
  function output(name: keyof typeof DATA_OUTPUTS): string {
    const value = outputs[DATA_OUTPUTS[name]]
    if (value !== undefined) return value
    throw new ExitError(EXIT.unavailable, `the stack ${stack} has no output ${DATA_OUTPUTS[name]}: deploy it again`)
  }
  const names = Object.keys(RESOURCE_VARIABLES) as (keyof typeof RESOURCE_VARIABLES)[]
  const env = Object.fromEntries(names.map(name => [RESOURCE_VARIABLES[name], output(name)]))
  const config = parseConfig(gatewayConfig(settings, 'upkeep'), { file: `deployments/${stage}.ts`, env })
  const aws = { ...config.storage.aws!, ...(endpoint !== undefined && { endpoint }) }
  return {
    config: { ...config, storage: { home: 'aws', aws } },
    async releaseKey() {
      const client = new SecretsManagerClient({ region, ...(endpoint !== undefined && { endpoint }) })
      try {
        const { SecretString = '' } = await client.send(new GetSecretValueCommand({ SecretId: output('releaseKey') }))
        return Buffer.from(SecretString, 'base64url')
      } finally {
        client.destroy()
      }
    },
  }
}
