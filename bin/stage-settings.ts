// The settings of a stage, as deployments/<stage>.ts says them: for the CDK app, and for commands that act on what it made.
import { existsSync, readdirSync } from 'node:fs'
import { type DeploymentSettings, deploymentSettings, SettingsError } from '../lib/deployment-settings.ts'
import { checkGatewayConfig } from './cdk-check-config.ts'

const DEPLOYMENTS = new URL('../deployments/', import.meta.url)

/** Throws SettingsError where there is no such stage, or its settings make no sense. */
export async function stageSettings(stage: string): Promise<DeploymentSettings> {
  const file = new URL(`${stage}.ts`, DEPLOYMENTS)
  const known = readdirSync(DEPLOYMENTS).map(name => name.replace(/\.ts$/, ''))
  if (!/^[a-z0-9-]+$/.test(stage) || !existsSync(file)) {
    throw new SettingsError([
      { key: 'stage', message: `there is no deployments/${stage}.ts, only ${known.join(', ')}` },
    ])
  }
  const settings = deploymentSettings((await import(file.href)).default)
  if (settings.stage !== stage) {
    throw new SettingsError([{ key: 'stage', message: `is ${settings.stage} in deployments/${stage}.ts` }])
  }
  checkGatewayConfig(settings)
  return settings
}
