// The compose files without starting anything: they are what the specification allows, all that they name is there, and
// nothing in them lets anybody in. That docker-compose takes them: compose-config.test.ts; what they do: stack.test.ts.
import { existsSync, globSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join, normalize } from 'node:path'
import { Ajv } from 'ajv'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { readEnvironmentFile } from '../../local/stack/environment-file.ts'
import { STACK_SITE } from '../../local/stack/setup.ts'
import { renderContainerAlertmanager } from '../../monitoring/aws/container-alertmanager.ts'
import { renderAll } from '../../monitoring/render.ts'
import { ROUTING_FILE } from '../../monitoring/routing/render.ts'
import { loadRouting } from '../../monitoring/routing/settings.ts'
import { CONTAINER_TARGETS } from '../../monitoring/scrape.ts'
import { DEFAULT_SETTINGS } from '../../monitoring/thresholds.ts'
import { renderCompose } from '../../scripts/compose.ts'
import { resourceVariables } from '../../scripts/local-resources.ts'

type Service = Readonly<{
  image?: string
  build?: Readonly<{ context: string; dockerfile: string }>
  volumes?: readonly string[]
  ports?: readonly string[]
  environment?: Readonly<Record<string, string>>
  healthcheck?: object
  networks?: readonly string[] | Readonly<Record<string, object>>
  depends_on?: Readonly<Record<string, Readonly<{ condition: string }>>>
  [key: string]: unknown
}>
type Compose = Readonly<{ services: Readonly<Record<string, Service>>; volumes?: Readonly<Record<string, object>> }>

const ROOT = new URL('../..', import.meta.url).pathname
const WHOLE = 'docker-compose-monitoring.yml'
const FILES = [WHOLE, ...globSync('local/docker-compose*.yml', { cwd: ROOT })]
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')
const composeOf = (path: string) => parse(read(path), { merge: true }) as Compose
const { services, volumes } = composeOf(WHOLE)
const each = Object.entries(services)
const EXAMPLE = readEnvironmentFile(read('local/.env.example'))
const SECRETS = ['RSPAMD_PASSWORD', 'GRAFANA_ADMIN_PASSWORD', 'ELEMTA_RELEASE_KEY']

test('every file is what the compose specification allows', () => {
  const file = createRequire(import.meta.url).resolve('dclint/package.json')
  const { $schema: _, ...schema } = JSON.parse(readFileSync(join(dirname(file), 'schemas/compose.schema.json'), 'utf8'))
  const validate = new Ajv({ strict: false, allErrors: true, validateFormats: false }).compile(schema)
  const wrong = FILES.flatMap(path => {
    validate(composeOf(path))
    return (validate.errors ?? []).map(({ instancePath, message }) => `${path} ${instancePath} ${message}`)
  })
  expect(FILES).toHaveLength(5)
  expect(wrong).toEqual([])
})

test('what is written from something else is as its sources say', () => {
  for (const [path, text] of renderCompose()) expect(read(path), `${path}: npm run compose`).toBe(text)
})

test('roles find what the emulator makes', () => {
  const roles = each.filter(([, { image, environment }]) => image === 'elemta-gateway' && environment?.ELEMTA_BUCKET)
  expect(roles.map(([name]) => name)).toEqual(['smtp-ingress', 'scan-worker', 'delivery-worker', 'upkeep'])
  for (const [, { environment }] of roles) expect(environment).toMatchObject(resourceVariables())
  const { healthcheck } = services.localstack as { healthcheck: { test: string[] } }
  expect(healthcheck.test.join(' ')).toContain(`/${resourceVariables().ELEMTA_BUCKET} `)
})

test('every path that is mounted, built from or named is there, or is made by the set-up', () => {
  const site = new Set([...renderAll(DEFAULT_SETTINGS).keys()].flatMap(path => [dirname(path), dirname(dirname(path))]))
  const paths = FILES.flatMap(file =>
    Object.values(composeOf(file).services).flatMap(({ volumes = [], build }) => {
      const mounted = volumes.map(volume => volume.split(':')[0]!).filter(source => source.startsWith('.'))
      const built = build === undefined ? [] : [build.context, join(build.context, build.dockerfile)]
      return [...mounted, ...built].map(path => normalize(join(dirname(file), path)))
    }),
  )
  expect(paths.length).toBeGreaterThan(20)
  const missing = paths.filter(path => {
    const inSite = path.startsWith(`${STACK_SITE}/`) ? path.slice(STACK_SITE.length + 1) : undefined
    return inSite === undefined ? !existsSync(join(ROOT, path)) : !site.has(inSite)
  })
  expect(missing).toEqual([])
})

test('every host that a configuration names is a service, and listens there', () => {
  const LISTENS: Readonly<Record<string, readonly number[]>> = {
    'smtp-ingress': [2525, 2587, 8080],
    'scan-worker': [8080],
    'delivery-worker': [8080],
    upkeep: [8080],
    'notify-slack': [8080],
    clamav: [3310],
    rspamd: [11333, 11334],
    valkey: [6379],
    unbound: [5335],
    localstack: [4566],
    mailpit: [1025, 8025],
    prometheus: [9090],
    alertmanager: [9093],
    grafana: [3000],
    freshclam: [],
  }
  expect(Object.keys(LISTENS).sort()).toEqual(Object.keys(services).sort())
  const { plugins, routes, storage, listeners, ops } = parse(read('local/elemta.yaml'))
  expect([...listeners, ops].map(({ port }: { port: number }) => port).sort()).toEqual(
    LISTENS['smtp-ingress']!.toSorted(),
  )
  const scanners = plugins.flatMap(
    ({ config }: { config: { host?: string; port: number; controller_port?: number } }) =>
      [config.port, config.controller_port].flatMap(port => (config.host && port ? [`${config.host}:${port}`] : [])),
  )
  const urls = [
    ...routes.map(({ to }: { to: string }) => to),
    storage.aws.endpoint,
    ...each
      .flatMap(([, { environment = {} }]) => Object.values(environment))
      .flatMap(text => /https?:\/\/[a-z-]+:\d+/.exec(text) ?? []),
    ...(renderContainerAlertmanager(loadRouting(ROUTING_FILE))
      .get('alertmanager/alertmanager.yml')!
      .match(/http:\/\/[a-z]+:\d+/g) ?? []),
  ].map(url => new URL(url).host)
  const targets = Object.values(CONTAINER_TARGETS)
    .flat()
    .map(({ address }) => address)
  const named = [...scanners, ...urls, ...targets, services.rspamd!.environment!.RSPAMD_REDIS_SERVERS!]
  expect(named.length).toBeGreaterThan(15)
  const wrong = named.filter(address => {
    const [host = '', port] = address.split(':')
    return host !== 'localhost' && !LISTENS[host]?.includes(Number(port))
  })
  expect(wrong).toEqual([])
  // unbound by its address, since resolvers have no names.
  const { ipv4_address: address } = (services.unbound!.networks as Record<string, { ipv4_address: string }>).back!
  expect(services['smtp-ingress']!.environment!.ELEMTA_DNS).toBe(`${address}:5335`)
  expect(services.rspamd!.environment!.RSPAMD_DNS_SERVERS).toBe(`${address}:5335`)
})

test('every variable has its words in .env.example, and every one there is used', () => {
  const used = new Set(FILES.flatMap(path => [...read(path).matchAll(/\$\{(\w+)/g)].map(([, name]) => name)))
  const named = Object.keys(EXAMPLE).filter(name => !name.startsWith('COMPOSE_'))
  expect([...used].sort()).toEqual(named.sort())
  const defaults = [
    ...new Set([...read(WHOLE).matchAll(/\$\{(\w+):-([^}]+)\}/g)].map(([, name, value]) => `${name}=${value}`)),
  ]
  const different = defaults.filter(line => {
    const [name = '', value] = line.split(/=(.*)/s)
    return EXAMPLE[name] !== '' && EXAMPLE[name] !== value
  })
  expect(different).toEqual([])
})

test('no port is published to others than this machine, no password is written down, every image has a version', () => {
  const ports = each.flatMap(([, { ports = [] }]) => ports)
  expect(ports.length).toBeGreaterThan(8)
  expect(ports.filter(port => !/^127\.0\.0\.1:\$\{\w+_PORT:-\d+\}:\d+$/.test(port))).toEqual([])
  for (const name of SECRETS) expect(EXAMPLE[name]).toBe('')
  const literal = each.flatMap(([service, { environment = {} }]) =>
    Object.entries(environment)
      // The emulator takes any key.
      .filter(
        ([name, value]) =>
          /PASSWORD|SECRET|TOKEN|_KEY\b/.test(name) && !name.startsWith('AWS_') && !/^\$\{/.test(value),
      )
      .map(([name]) => `${service} ${name}`),
  )
  expect(literal).toEqual([])
  const images = each.map(([, { image = '' }]) => image.replace(/^\$\{\w+:-(.*)\}$/, '$1'))
  expect(images.filter(image => !/^elemta-\w+$/.test(image) && !/:v?\d+\.\d+\.\d+(-alpine)?$/.test(image))).toEqual([])
})

test.each(each)('%s may do little, and is known to be well before others rely on it', (name, service) => {
  expect(service).toMatchObject({
    restart: 'unless-stopped',
    security_opt: ['no-new-privileges:true'],
    mem_limit: expect.anything(),
    pids_limit: expect.any(Number),
    // LocalStack writes where it likes.
    ...(name !== 'localstack' && { read_only: true, cap_drop: ['ALL'] }),
  })
  const checked = (one: Service) =>
    one.healthcheck !== undefined || (one.build !== undefined && read(one.build.dockerfile).includes('\nHEALTHCHECK '))
  expect(checked(service)).toBe(true)
  for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
    // Who watches must not wait until all is well.
    expect(condition).toBe(name === 'prometheus' ? 'service_started' : 'service_healthy')
    expect(services).toHaveProperty(other)
  }
  for (const volume of service.volumes ?? []) {
    const [source = ''] = volume.split(':')
    if (!source.startsWith('.')) expect(volumes?.[source]).toEqual({ labels: { 'dev.elemta.layout': '1' } })
  }
})

test('mail cannot leave: who delivers sees nothing of the world', () => {
  const { networks } = parse(read(WHOLE))
  expect(networks.back.internal).toBe(true)
  expect(services['delivery-worker']!.networks).toEqual(['back'])
  expect(services['scan-worker']!.networks).toEqual(['back'])
})

test('the live sources are mounted where the image has its own', () => {
  const image = read('containers/gateway/Dockerfile')
  const { services: live } = composeOf('local/docker-compose.dev.yml')
  for (const [name, { volumes = [], command }] of Object.entries(live)) {
    for (const volume of volumes) {
      const [source = '', target] = volume.split(':')
      expect(image).toContain(`COPY ${basename(source)} ${basename(source)}\n`)
      expect(target).toBe(`/app/${basename(source)}`)
    }
    expect((command as string[]).at(-1)).toBe((services[name]!.command as string[]).at(-1))
  }
})
