// Our images, really built from their Dockerfiles and run as they are run everywhere: as nobody in particular, without a
// capability, on a root that cannot be written to.
import { readdirSync } from 'node:fs'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { filesOf, inspect, podman, processOf, readFromImage } from './podman.ts'

const ROOT = new URL('../..', import.meta.url).pathname
const IMAGES = ['gateway', 'clamav', 'rspamd', 'unbound'] as const
type Image = (typeof IMAGES)[number]

const HARDENED = ['--read-only', '--cap-drop=ALL', '--security-opt=no-new-privileges', '--tmpfs=/tmp']
const RELEASE_KEY = 'a release key that nobody may see'
const CONFIG = 'hostname: mx.example.com, relay: { domains: [example.com] }, data_dir: /run/elemta'

/** Options of podman, and the command. */
const RUN: Readonly<Record<Image, readonly [readonly string[], readonly string[]]>> = {
  gateway: [
    ['-e', `ELEMTA_CONFIG_YAML={ ${CONFIG} }`, '-e', `ELEMTA_RELEASE_KEY=${RELEASE_KEY}`],
    ['containers/smtp-ingress/main.ts'],
  ],
  clamav: [[], []],
  rspamd: [['-e', 'RSPAMD_PASSWORD=nobody knows it'], []],
  unbound: [[], []],
}

const tag = (image: Image) => `localhost/elemta-${image}`
const started: string[] = []

beforeAll(async () => {
  for (const image of IMAGES) {
    const about = ['--build-arg=VERSION=1.2.3', '--build-arg=REVISION=abc123']
    await podman(
      'build',
      '--format=docker',
      ...about,
      '--file',
      `${ROOT}/containers/${image}/Dockerfile`,
      '--tag',
      tag(image),
      ROOT,
    )
  }
}, 300_000)
afterEach(async () => {
  for (const container of started.splice(0)) await podman('rm', '--force', '--time=0', '--volumes', container)
})

async function start(image: Image): Promise<string> {
  const [options, command] = RUN[image]
  const container = await podman('run', '--detach', ...HARDENED, ...options, tag(image), ...command)
  started.push(container)
  return container
}

const healthOf = async (container: string) => (await inspect(container)).State.Health.Status

test('every image of the repository is built here', () => {
  const folders = readdirSync(`${ROOT}/containers`, { withFileTypes: true })
    .filter(entry => entry.isDirectory() && readdirSync(`${ROOT}/containers/${entry.name}`).includes('Dockerfile'))
    .map(({ name }) => name)
  expect(folders.toSorted()).toEqual([...IMAGES].toSorted())
})

describe.each(IMAGES)('%s', image => {
  test('says what it is, and knows no secret', async () => {
    const { Config, Labels, History } = await inspect(tag(image))
    expect(Labels).toMatchObject({
      'org.opencontainers.image.version': '1.2.3',
      'org.opencontainers.image.revision': 'abc123',
      'org.opencontainers.image.licenses': expect.stringContaining('MIT'),
      'org.opencontainers.image.title': expect.stringContaining('Elemta'),
    })
    expect(Config.User).toMatch(/^(?!root|0)\w+/)
    expect(JSON.stringify(Config.Env)).not.toMatch(/password|secret|token|_key/i)
    expect(JSON.stringify(History)).not.toMatch(/password|token=|secret=|_key=/i)
  })

  test('gets healthy as nobody, without a capability, on a read-only root; ends with 0 when told to', async () => {
    const container = await start(image)
    await expect.poll(() => healthOf(container), { timeout: 120_000 }).toBe('healthy')
    const { users, capabilities } = await processOf(container)
    expect(users).not.toContain('0')
    expect(capabilities).toMatch(/^0+$/)
    await podman('stop', '--time=20', container)
    const { State } = await inspect(container)
    expect(State.ExitCode).toBe(0)
  })
})

test("gateway: below 200 MB, with Node and what it needs, without shell, package manager or others' sources", async () => {
  const files = await filesOf(tag('gateway'))
  const octets = [...files.values()].reduce((sum, size) => sum + size, 0)
  console.log(`gateway: ${Math.round(octets / 1e6)} MB in ${files.size} files`)
  expect(octets).toBeGreaterThan(150e6)
  expect(octets).toBeLessThan(200e6)
  expect(files.get('usr/local/bin/node')).toBeGreaterThan(50e6)
  const paths = [...files.keys()]
  const unwanted =
    /^(usr\/)?bin\/(ba|da)?sh$|\/npm(-cli\.js)?$|\/(gcc|make|apt-get|typescript|vitest)$|\.d\.[cm]?ts$|^app\/(test|node_modules\/node)\//
  expect(paths.filter(path => unwanted.test(path))).toEqual([])
})

test('gateway: its bill of materials names every package in it', async () => {
  const { bomFormat, components } = JSON.parse(await readFromImage(tag('gateway'), '/app/sbom.json'))
  expect(bomFormat).toBe('CycloneDX')
  const named = new Set(components.map(({ name }: { name: string }) => name))
  expect(named).toContain('commander')
  expect(named).toContain('@aws-sdk/client-sqs')
  const packages = [...(await filesOf(tag('gateway'))).keys()]
    .map(path => /^app\/node_modules\/((?:@[^/]+\/)?[^/@.]+)\/package\.json$/.exec(path)?.[1])
    .filter(name => name !== undefined)
  expect(packages.length).toBeGreaterThan(50)
  expect(packages.filter(name => !named.has(name))).toEqual([])
})

test('gateway: secrets become files of its own, and no process has them in its environment', async () => {
  const container = await start('gateway')
  await expect.poll(() => healthOf(container), { timeout: 120_000 }).toBe('healthy')
  const { environment } = await processOf(container)
  expect(environment).toContain('ELEMTA_CONFIG_YAML=')
  expect(environment).not.toContain('RELEASE_KEY')
  const read = `const fs = require('node:fs'), f = '/run/elemta/release.key'; console.log(fs.readFileSync(f, 'utf8') + (fs.statSync(f).mode & 0o777).toString(8))`
  expect(await podman('exec', container, 'node', '-e', read)).toBe(`${RELEASE_KEY}\n600`)
})

test('gateway: finds all of itself compiled', async () => {
  const [options, command] = RUN.gateway
  // With a terminal, so that both outputs are in the log.
  const tell = ['--tty', '-e', 'NODE_DEBUG_NATIVE=COMPILE_CACHE']
  const container = await podman('run', '--detach', ...HARDENED, ...tell, ...options, tag('gateway'), ...command)
  started.push(container)
  await expect.poll(() => healthOf(container), { timeout: 120_000 }).toBe('healthy')
  const log = await podman('logs', container)
  expect(log).toMatch(/StrippedTypeScript file:\/\/\/app\/local\/serve\.ts\.\.\.success/)
  expect(log).not.toContain('no transpile cache')
})

test('clamav: finds with what the image brought, where nobody has brought signatures', async () => {
  const container = await start('clamav')
  await expect.poll(() => healthOf(container), { timeout: 120_000 }).toBe('healthy')
  const scan = `printf '%s%s' 'X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-' 'ANTIVIRUS-TEST-FILE!$H+H*' | clamdscan --config-file=/tmp/clamd.conf --no-summary -; true`
  expect(await podman('exec', container, 'sh', '-c', scan)).toContain('FOUND')
})

test('rspamd: refuses to start without a password for its web interface', async () => {
  const container = await podman('run', '--detach', ...HARDENED, tag('rspamd'))
  started.push(container)
  expect(await podman('wait', container)).not.toBe('0')
  expect((await inspect(container)).State.Running).toBe(false)
})

test('unbound: listens for others only where told to, and answers them', async () => {
  const container = await podman(
    'run',
    '--detach',
    ...HARDENED,
    '-e',
    'UNBOUND_ADDRESS=0.0.0.0',
    '-e',
    'UNBOUND_PORT=5399',
    tag('unbound'),
  )
  started.push(container)
  await expect.poll(() => healthOf(container), { timeout: 120_000 }).toBe('healthy')
  expect(await podman('exec', container, 'cat', '/tmp/unbound.conf')).toContain('interface: 0.0.0.0')
})
