// The set-up of the container stack: passwords that nobody has elsewhere and that stay, what is in the way of a start.
import { once } from 'node:events'
import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readEnvironmentFile, type Values, writeEnvironmentFile } from '../../local/stack/environment-file.ts'
import { preflight } from '../../local/stack/preflight.ts'
import { setUpStack } from '../../local/stack/setup.ts'

const GIGABYTE = 1024 ** 3
let root: string
let site: string
let path: string | undefined

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'elemta-stack-'))
  site = join(root, 'local/site')
  mkdirSync(join(site, 'secrets'), { recursive: true })
  cpSync(new URL('../../local/.env.example', import.meta.url).pathname, join(root, 'local/.env.example'))
  writeFileSync(join(site, 'secrets/rspamd_controller_password'), 'rspamd-secret')
  writeFileSync(join(site, 'secrets/grafana_admin_password'), 'grafana-secret')
  path = process.env.PATH
  useDocker('exit 0')
})
afterEach(() => {
  process.env.PATH = path
  rmSync(root, { recursive: true })
})

const setUp = (env: Values = {}, gigabytes = 8) => setUpStack({ root, site, env, freeMemory: gigabytes * GIGABYTE })
const written = () => readEnvironmentFile(readFileSync(join(root, 'local/.env'), 'utf8'))

/** A `docker` that answers by a script, before all others. */
function useDocker(script: string): void {
  writeFileSync(join(root, 'docker'), `#!/bin/sh\n${script}\n`)
  chmodSync(join(root, 'docker'), 0o755)
  process.env.PATH = `${root}:${path}`
}

test('makes a file for its owner alone, which compose finds in both places', async () => {
  const { lines } = await setUp()
  expect(lines.join('\n')).toContain('(new)')
  expect(statSync(join(root, 'local/.env')).mode & 0o777).toBe(0o600)
  expect(readFileSync(join(root, '.env'), 'utf8')).toBe(readFileSync(join(root, 'local/.env'), 'utf8'))
  expect(written()).toMatchObject({ RSPAMD_PASSWORD: 'rspamd-secret', GRAFANA_ADMIN_PASSWORD: 'grafana-secret' })
  expect(written().ELEMTA_RELEASE_KEY).toMatch(/^[\w-]{43}$/)
})

test('keeps what is there, adds what is new, and takes what its environment has', async () => {
  await setUp({ SMTP_PORT: '2526' })
  const { ELEMTA_RELEASE_KEY: key } = written()
  const file = join(root, 'local/.env')
  const changed = readFileSync(file, 'utf8')
    .replace('MAILPIT_PORT=8025\n', '')
    .replace('OPS_PORT=8080', 'OPS_PORT=8081')
  writeFileSync(file, `${changed}OWN=1\n`)
  await setUp()
  expect(written()).toMatchObject({
    ELEMTA_RELEASE_KEY: key,
    SMTP_PORT: '2526',
    OPS_PORT: '8081',
    MAILPIT_PORT: '8025',
    OWN: '1',
  })
})

test('a .env of somebody’s own in the root stays, and that is said', async () => {
  writeFileSync(join(root, '.env'), 'MINE=1\n')
  const { lines } = await setUp()
  expect(ownFile()).toBe('MINE=1\n')
  expect(lines.join('\n')).toMatch(/\.env is your own/)
})
const ownFile = () => (lstatSync(join(root, '.env')).isFile() ? readFileSync(join(root, '.env'), 'utf8') : undefined)

test('with less than 3 GB of free memory it is the light profile, loudly, unless somebody has decided', async () => {
  const { lines } = await setUp({}, 2)
  expect(written()).toMatchObject({ COMPOSE_PROFILES: 'light', CLAMAV_SIGNATURES: 'test', CLAMAV_MEMORY: '512m' })
  expect(lines.join('\n')).toMatch(/EICAR test file and NOTHING ELSE.*now 2\.0/s)
  rmSync(join(root, 'local/.env'))
  const decided = await setUp({ CLAMAV_SIGNATURES: 'full', COMPOSE_PROFILES: 'full' }, 2)
  expect(written()).toMatchObject({ COMPOSE_PROFILES: 'full', CLAMAV_SIGNATURES: 'full' })
  expect(decided.lines.join('\n')).toMatch(/2\.0 GB of memory are free.*need 3/)
})

test('values that a shell or compose would read otherwise come back as they were', () => {
  const values = { A: 'a $b #c', B: '# nobody', C: '' }
  expect(readEnvironmentFile(writeEnvironmentFile('A=\nB=\nC=x\n', values))).toEqual(values)
})

describe('preflight', () => {
  const about = (settings: Readonly<Record<string, string>>) =>
    preflight({ COMPOSE_PROJECT_NAME: 'elemta', ...settings })

  test('a port that is taken is told with the variable to change, unless the stack itself has it', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    try {
      expect(await about({ MAILPIT_PORT: String(port) })).toEqual([
        expect.stringMatching(`127.0.0.1:${port} is taken.*MAILPIT_PORT`),
      ])
      useDocker(`[ "$1" != ps ] || echo '127.0.0.1:${port}->8025/tcp'`)
      expect(await about({ MAILPIT_PORT: String(port) })).toEqual([])
    } finally {
      server.close()
    }
  })

  test.each([
    ['localstack/localstack:latest', '', 1],
    ['localstack/localstack', '', 1],
    ['docker.io/localstack/localstack:2026.3.0', '', 1],
    ['localstack/localstack:4.15.0', '', 1],
    ['localstack/localstack:latest', 'ls-token', 0],
    ['localstack/localstack:4.14.0', '', 0],
    ['localstack/localstack:3', '', 0],
    ['floci/floci:latest', '', 0],
  ])('%s with the token "%s": %d problems', async (image, token, problems) => {
    const found = await about({ AWS_EMULATOR_IMAGE: image, LOCALSTACK_AUTH_TOKEN: token })
    expect(found).toHaveLength(problems)
    if (problems > 0) expect(found[0]).toMatch(/LOCALSTACK_AUTH_TOKEN.*4\.14\.0/)
  })

  test('a volume of another version is told with what to do', async () => {
    useDocker(`[ "$1" != volume ] || printf 'elemta_signatures\\t1\\nelemta_rspamd\\t\\nelemta_grafana\\t2\\n'`)
    expect(await about({})).toEqual([
      expect.stringMatching(/elemta_rspamd is of another version.*docker volume rm elemta_rspamd/),
      expect.stringMatching(/elemta_grafana is of layout 2/),
    ])
  })

  test('without Docker it says so', async () => {
    process.env.PATH = site
    expect(await about({})).toEqual([expect.stringMatching(/neither docker compose nor docker-compose.*npm start/)])
  })
})
