// The CDK app: the stacks of the stage that `-c stage=NAME` names, as deployments/NAME.ts says. Everything that is wrong with
// its settings, and with the configuration that the gateway would get from them, is told before anything is made; findings
// of cdk-nag that nobody has acknowledged with a reason stop it, too. Needs neither Docker nor credentials.
import { existsSync, readdirSync } from 'node:fs'
import { App, type IPolicyValidationPlugin, Validations } from 'aws-cdk-lib'
import { AwsSolutionsChecks } from 'cdk-nag'
import { deploymentSettings, SettingsError } from '../lib/deployment-settings.ts'
import { createStacks } from '../lib/stacks.ts'
import { checkGatewayConfig } from './cdk-check-config.ts'

const DEPLOYMENTS = new URL('../deployments/', import.meta.url)

async function settingsOf(stage: string) {
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

try {
  const app = new App()
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app) as IPolicyValidationPlugin)
  createStacks(app, await settingsOf(String(app.node.tryGetContext('stage'))))
  app.synth()
} catch (error) {
  if (!(error instanceof SettingsError)) throw error
  console.error(error.message)
  process.exitCode = 78
}
