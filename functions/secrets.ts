// Secrets of a function: a variable NAME_SECRET names a secret, and a field of its JSON behind a `#`; NAME is then its value.
// Nothing is asked where there are none. Throws when one cannot be had: a gateway without its password would be no gateway.
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'

type Environment = Readonly<Record<string, string | undefined>>

const SUFFIX = '_SECRET'

/** The environment with the values of its secrets. */
export async function withSecrets(env: Environment): Promise<Environment> {
  const named = Object.entries(env).filter(([name, value]) => name.endsWith(SUFFIX) && value?.startsWith('arn:'))
  if (named.length === 0) return env
  const client = new SecretsManagerClient()
  try {
    const values = await Promise.all(
      named.map(async ([name, value]) => {
        const [id = '', field] = value!.split('#')
        return [name.slice(0, -SUFFIX.length), await secretValue(client, id, field)] as const
      }),
    )
    return { ...env, ...Object.fromEntries(values) }
  } finally {
    client.destroy()
  }
}

async function secretValue(client: SecretsManagerClient, id: string, field: string | undefined): Promise<string> {
  const { SecretString = '' } = await client.send(new GetSecretValueCommand({ SecretId: id }))
  if (field === undefined) return SecretString
  const value = (JSON.parse(SecretString) as Record<string, unknown>)[field]
  if (typeof value !== 'string' || value === '') throw new Error(`the field ${field} of ${id} is still empty`)
  return value
}
