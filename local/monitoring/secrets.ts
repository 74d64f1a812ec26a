// The secrets of a site's monitoring: a file each, in a directory that only its owner may enter. One that is there is
// never changed. None ends in a line end: Alertmanager 0.25 would send it as a part of the password.
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export type SecretName = 'slack_webhook_url' | 'smtp_password' | 'grafana_admin_password' | 'rspamd_controller_password'

export const secretFile = (folder: string, name: SecretName) => join(folder, 'secrets', name)

export const randomSecret = () => randomBytes(24).toString('base64url')

/** Makes the file with what `value` gives, where it is not there. Returns whether it was made. */
export async function keepSecret(
  folder: string,
  name: SecretName,
  value: () => string | Promise<string>,
): Promise<boolean> {
  const file = secretFile(folder, name)
  if (existsSync(file)) return false
  mkdirSync(join(folder, 'secrets'), { recursive: true, mode: 0o700 })
  writeFileSync(file, (await value()).trim(), { mode: 0o600, flag: 'wx' })
  return true
}

/** Undefined when it is not there. */
export function readSecret(folder: string, name: SecretName): string | undefined {
  const file = secretFile(folder, name)
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined
}
