// docker-compose 1.29 takes our compose files, in each combination that they are used in, and says what to do where secrets
// are missing. v2 takes what the specification allows: compose.test.ts.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = new URL('../..', import.meta.url).pathname
const WHOLE = 'docker-compose-monitoring.yml'
const SECRETS = ['RSPAMD_PASSWORD', 'GRAFANA_ADMIN_PASSWORD', 'ELEMTA_RELEASE_KEY']

test.each([
  [[WHOLE]],
  [['local/docker-compose.yml']],
  [['local/docker-compose.yml', 'local/docker-compose-monitoring.yml']],
  [['local/docker-compose.yml', 'local/docker-compose.dev.yml']],
  [['local/docker-compose.yml', 'local/docker-compose-monitoring.yml', 'local/docker-compose.dev.yml']],
])('docker-compose 1.29 takes %j', files => {
  expect(compose(files, Object.fromEntries(SECRETS.map(name => [name, 'secret'])))).toBe('')
})

test.each(SECRETS)('without %s nothing starts, and it is said what to do', name => {
  const others = Object.fromEntries(SECRETS.filter(other => other !== name).map(other => [other, 'secret']))
  expect(compose([WHOLE], others)).toMatch(/run scripts\/setup-local\.sh first/)
})

/** What it finds wrong. Not with the variables of whoever runs the tests: those are in a file where it looks for one. */
function compose(files: readonly string[], variables: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'elemta-compose-'))
  const empty = join(folder, 'env')
  writeFileSync(empty, '')
  const named = files.flatMap(file => ['-f', file])
  try {
    const env = { PATH: process.env.PATH, COMPOSE_PROFILES: 'full', ...variables }
    const options = { cwd: ROOT, env, stdio: 'pipe' } as const
    execFileSync('docker-compose', ['--env-file', empty, ...named, 'config', '--quiet'], options)
    return ''
  } catch (error) {
    return String((error as { stderr: Buffer }).stderr)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
