// Which variables of a role are fields of which secret, for ECS (it sets NAME when a task starts) and for functions (they
// get NAME_SECRET, `<arn>#<field>`, and fetch it themselves when they start).
import { Secret as EcsSecret } from 'aws-cdk-lib/aws-ecs'
import type { IGrantable } from 'aws-cdk-lib/aws-iam'
import type { ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager'
import type { Role } from '../gateway-config.ts'
import type { BroughtSecret, Secrets } from './secrets.ts'

type Field = readonly [secret: BroughtSecret | 'ReleaseKey', field?: string]

/** Roles to variables to fields. ELEMTA_*_PEM and ELEMTA_USERS become files: see containers/gateway/start.ts. */
const VARIABLES: Readonly<Record<Role, Readonly<Record<string, Field>>>> = {
  ingress: {
    ELEMTA_CERTIFICATE_PEM: ['TlsCertificate', 'certificate'],
    ELEMTA_CERTIFICATE_KEY_PEM: ['TlsCertificate', 'key'],
    ELEMTA_USERS: ['Users', 'file'],
  },
  scan: { ELEMTA_RELEASE_KEY: ['ReleaseKey'] },
  delivery: {
    ELEMTA_NEXT_HOP_USER: ['NextHopCredentials', 'user'],
    ELEMTA_NEXT_HOP_PASSWORD: ['NextHopCredentials', 'password'],
  },
  upkeep: {},
}

type Found = Readonly<{ variable: string; secret: Secret; field: string | undefined }>

function secretsOf(role: Role, { brought, releaseKey }: Secrets): readonly Found[] {
  return Object.entries(VARIABLES[role]).flatMap(([variable, [name, field]]) => {
    const secret = name === 'ReleaseKey' ? releaseKey : brought[name]
    return secret === undefined ? [] : [{ variable, secret, field }]
  })
}

/** For a container of `role`. */
export function containerSecrets(role: Role, secrets: Secrets): Record<string, EcsSecret> {
  return Object.fromEntries(
    secretsOf(role, secrets).map(({ variable, secret, field }) => [
      variable,
      EcsSecret.fromSecretsManager(secret as ISecret, field),
    ]),
  )
}

/** For a function of `role`, which may then read them. */
export function functionSecrets(role: Role, secrets: Secrets): Record<string, string> {
  return Object.fromEntries(
    secretsOf(role, secrets).map(({ variable, secret, field }) => [
      `${variable}_SECRET`,
      field === undefined ? secret.secretArn : `${secret.secretArn}#${field}`,
    ]),
  )
}

/** Lets a function of `role` read what functionSecrets names. */
export function grantSecrets(grantee: IGrantable, role: Role, secrets: Secrets): void {
  for (const { secret } of secretsOf(role, secrets)) secret.grantRead(grantee)
}
