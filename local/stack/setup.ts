// Prepares the container stack: `.env` in local/ (and a link to it in the root, where compose looks for it when the whole
// stack is started there), with secrets that are made once. What is there already stays.
import { randomBytes } from 'node:crypto'
import { existsSync, lstatSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readSecret } from '../monitoring/secrets.ts'
import { readEnvironmentFile, type Values, writeEnvironmentFile } from './environment-file.ts'
import { ENOUGH_MEMORY, preflight } from './preflight.ts'

export type StackSetup = Readonly<{
  /** Of the repository. */
  root: string
  /** Rendered by setUpMonitoring for containers: its secrets are the stack's. */
  site: string
  env: Values
  /** Octets that are free on this machine. */
  freeMemory: number
}>

/** Where a site's files for containers are, below the root. */
export const STACK_SITE = 'local/site'

const LIGHT = { COMPOSE_PROFILES: 'light', CLAMAV_SIGNATURES: 'test', CLAMAV_MEMORY: '512m' } as const

/** Writes the file and says what is in the way of a start. */
export async function setUpStack(options: StackSetup): Promise<Readonly<{ lines: string[]; problems: string[] }>> {
  const { root, site, env, freeMemory } = options
  const file = join(root, 'local', '.env')
  const example = readFileSync(join(root, 'local', '.env.example'), 'utf8')
  const isNew = !existsSync(file)
  const before = isNew ? {} : readEnvironmentFile(readFileSync(file, 'utf8'))
  const given = Object.fromEntries(Object.keys(readEnvironmentFile(example)).map(name => [name, env[name]]))
  const isSmall = freeMemory < ENOUGH_MEMORY
  const slack = readSecret(site, 'slack_webhook_url')
  const values = {
    ...(isNew && isSmall && LIGHT),
    ELEMTA_RELEASE_KEY: randomBytes(32).toString('base64url'),
    ...(slack?.startsWith('https://') && { SLACK_WEBHOOK_URL: slack }),
    ...filled(before),
    ...filled(given),
    RSPAMD_PASSWORD: readSecret(site, 'rspamd_controller_password'),
    GRAFANA_ADMIN_PASSWORD: readSecret(site, 'grafana_admin_password'),
  }
  writeFileSync(`${file}.new`, writeEnvironmentFile(example, values), { mode: 0o600 })
  renameSync(`${file}.new`, file)
  const settings = readEnvironmentFile(readFileSync(file, 'utf8'))
  return {
    lines: [
      `settings  ${file} (${isNew ? 'new' : 'kept'}): ports, memory, passwords`,
      ...linkFrom(root),
      ...memoryLines(settings, freeMemory),
    ],
    problems: await preflight(settings),
  }
}

/** What is empty was not decided. */
function filled(values: Values): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter((entry): entry is [string, string] => !!entry[1]))
}

/** A file of somebody's own stays. */
function linkFrom(root: string): string[] {
  const link = join(root, '.env')
  const found = lstatSync(link, { throwIfNoEntry: false })
  if (found === undefined) symlinkSync('local/.env', link)
  if (found === undefined || found.isSymbolicLink()) return []
  return [`note      ${link} is your own: the stack in the root needs the variables of local/.env in it`]
}

function memoryLines({ CLAMAV_SIGNATURES: signatures }: Readonly<Record<string, string>>, free: number): string[] {
  const gigabytes = (free / 1024 ** 3).toFixed(1)
  if (signatures === 'test') {
    return [
      `LIGHT     ClamAV finds the EICAR test file and NOTHING ELSE: no protection. For more than 3 GB of free memory (now ${gigabytes}):`,
      '          COMPOSE_PROFILES=full, CLAMAV_SIGNATURES=full, CLAMAV_MEMORY=3g in local/.env',
    ]
  }
  if (free >= ENOUGH_MEMORY) return []
  return [
    `note      ${gigabytes} GB of memory are free, ClamAV and the rest need 3: see CLAMAV_SIGNATURES in local/.env`,
  ]
}
