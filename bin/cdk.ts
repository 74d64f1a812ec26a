// The CDK app: the stacks of the stage that `-c stage=NAME` names, as deployments/NAME.ts says. Everything that is wrong with
// its settings, and with the configuration that the gateway would get from them, is told before anything is made; findings
// of cdk-nag that nobody has acknowledged with a reason stop it, too. Needs neither Docker nor credentials.
import { App, type IPolicyValidationPlugin, Validations } from 'aws-cdk-lib'
import { AwsSolutionsChecks } from 'cdk-nag'
import { SettingsError } from '../lib/deployment-settings.ts'
import { createStacks } from '../lib/stacks.ts'
import { stageSettings } from './stage-settings.ts'

try {
  const app = new App()
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app) as IPolicyValidationPlugin)
  createStacks(app, await stageSettings(String(app.node.tryGetContext('stage'))))
  app.synth()
} catch (error) {
  if (!(error instanceof SettingsError)) throw error
  console.error(error.message)
  process.exitCode = 78
}
