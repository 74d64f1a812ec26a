// The entry point of the gateway's image. Writes the secrets that the gateway reads as files to its own volume, for its owner
// alone, and takes them out of the environment; then becomes Node with the arguments given, so that signals reach it and
// no process is left that had them. Fails, before anything runs, where it may not write.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { environment } from '../../src/platform/environment.ts'

/** Variable to file. Not written where the secret is not given or has not been filled in yet. */
const FILES = {
  ELEMTA_CERTIFICATE_PEM: 'certificate.pem',
  ELEMTA_CERTIFICATE_KEY_PEM: 'certificate-key.pem',
  ELEMTA_USERS: 'users',
  ELEMTA_RELEASE_KEY: 'release.key',
}

const { ELEMTA_DATA_DIRECTORY: directory = '/run/elemta' } = environment
const left: Record<string, string> = {}
for (const [name, value] of Object.entries(environment)) {
  const file = FILES[name as keyof typeof FILES]
  if (file === undefined) left[name] = value ?? ''
  else if (value) writeFileSync(join(directory, file), `${value}\n`, { mode: 0o600 })
}
process.execve?.(process.execPath, [process.execPath, ...process.argv.slice(2)], left)
