// Secrets that people bring (certificate, users, keys of others) and that the stage makes up itself (rspamd's password).
// A secret is made only where the settings ask for it, empty; the output says how to fill it. Tasks get its fields as
// variables of their environment when they start: after a change, `aws ecs update-service --force-new-deployment`.
import { CfnOutput, RemovalPolicy } from 'aws-cdk-lib'
import { Secret } from 'aws-cdk-lib/aws-secretsmanager'
import { Construct } from 'constructs'
import type { DeploymentSettings } from '../deployment-settings.ts'
import { acknowledge } from './acknowledge.ts'

/** Name to its fields. */
const BROUGHT = {
  TlsCertificate: ['certificate', 'key'],
  Users: ['file'],
  NextHopCredentials: ['user', 'password'],
  SpamhausDqsKey: ['key'],
  SlackWebhook: ['url'],
} as const
export type BroughtSecret = keyof typeof BROUGHT

export type SecretsProps = Readonly<{ settings: DeploymentSettings }>

export class Secrets extends Construct {
  /** Absent where the settings do not ask for it. */
  readonly brought: Readonly<Partial<Record<BroughtSecret, Secret>>>
  /** Of rspamd's controller, which only listens inside its task. */
  readonly rspamdPassword: Secret
  /** Releases from quarantine are signed with it: 43 characters, 32 octets in base64url. */
  readonly releaseKey: Secret

  constructor(scope: Construct, id: string, { settings }: SecretsProps) {
    super(scope, id)
    const { data } = settings
    const removalPolicy = data.retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY
    const asked = (Object.keys(BROUGHT) as BroughtSecret[]).filter(name => isAsked(name, settings))
    this.brought = Object.fromEntries(
      asked.map(name => {
        const fields = Object.fromEntries(BROUGHT[name].map(field => [field, '']))
        const secret = new Secret(this, name, {
          generateSecretString: { secretStringTemplate: JSON.stringify(fields), generateStringKey: 'empty' },
          removalPolicy,
        })
        acknowledge(secret, { SMG4: 'Others issue it: only they can renew it' })
        new CfnOutput(this, `Fill${name}`, {
          description: `JSON with the fields ${BROUGHT[name].join(', ')}`,
          value: `aws secretsmanager put-secret-value --secret-id ${secret.secretArn} --secret-string file://${name}.json`,
        })
        return [name, secret]
      }),
    )
    this.rspamdPassword = this.made(
      'RspamdPassword',
      removalPolicy,
      'Used inside one task, where only its own containers connect',
    )
    this.releaseKey = this.made(
      'ReleaseKey',
      removalPolicy,
      'Signs releases that wait: a new one would make them wait for ever',
    )
  }

  private made(name: string, removalPolicy: RemovalPolicy, whyNotRotated: string): Secret {
    const secret = new Secret(this, name, {
      generateSecretString: { passwordLength: 43, excludePunctuation: true },
      removalPolicy,
    })
    acknowledge(secret, { SMG4: whyNotRotated })
    return secret
  }
}

function isAsked(name: BroughtSecret, { tls, submission, routes, scan, alerts }: DeploymentSettings): boolean {
  switch (name) {
    case 'TlsCertificate':
      return tls === 'secret'
    case 'Users':
      return submission.enabled && submission.users === 'secret'
    case 'NextHopCredentials':
      return routes.some(({ auth }) => auth)
    case 'SpamhausDqsKey':
      return scan.dqs
    case 'SlackWebhook':
      return alerts.slack
    default:
      return name satisfies never
  }
}
