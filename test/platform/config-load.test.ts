// From the file to a Config: the blocks that users already have, the defaults, and the file that we ship.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { configSchema, defaultHostname, enabledPlugin } from '../../src/platform/config.ts'
import { ConfigError } from '../../src/platform/config-errors.ts'
import { configJsonSchema } from '../../src/platform/config-json-schema.ts'
import { loadConfig } from '../../src/platform/config-load.ts'
import { formatConfig } from '../../src/platform/config-show.ts'
import { configOf } from './parse-config.ts'

const CLAMAV_BLOCK = `plugins:
  - name: clamav
    enabled: true
    config:
      host: clamav
      port: 3310
      timeout: 30s
      action: reject
      log_clean: false
`
const RSPAMD_BLOCK = `plugins:
  - name: rspamd
    enabled: true
    config:
      host: rspamd
      port: 11334
      timeout: 15s
      reject_score: 15.0
      add_headers: true
`

describe('the plugin blocks that are documented', () => {
  test('ClamAV', () => {
    expect(enabledPlugin(configOf(CLAMAV_BLOCK), 'clamav')).toEqual({
      host: 'clamav',
      port: 3310,
      timeout: 30_000,
      action: 'reject',
      log_clean: false,
      heuristics: 'quarantine',
      on_error: 'defer',
      updates: { enabled: true, interval: 7_200_000, databases: [] },
    })
  })

  test('Rspamd, on the port of the controller', () => {
    expect(enabledPlugin(configOf(RSPAMD_BLOCK), 'rspamd')).toEqual({
      host: 'rspamd',
      port: 11_334,
      timeout: 15_000,
      reject_score: 15,
      add_headers: true,
      action: 'quarantine',
      on_error: 'tag',
      controller_port: 11_334,
    })
  })

  test('both, one after the other', () => {
    const both = configOf(CLAMAV_BLOCK + RSPAMD_BLOCK.replace('plugins:\n', ''))
    expect(both.plugins.map(({ name }) => name)).toEqual(['clamav', 'rspamd'])
  })

  test('a disabled one is not used', () => {
    expect(enabledPlugin(configOf(CLAMAV_BLOCK.replace('true', 'false')), 'clamav')).toBeUndefined()
  })
})

describe('defaults', () => {
  test('an empty file scans with both scanners on this machine and delivers into a maildir', () => {
    const config = configOf('')
    expect(config.plugins).toMatchObject([
      { name: 'clamav', enabled: true, config: { host: '127.0.0.1', port: 3310 } },
      { name: 'rspamd', enabled: true, config: { host: '127.0.0.1', port: 11_333 } },
    ])
    expect(config.listeners).toEqual([{ address: '127.0.0.1', port: 2525, mode: 'mx' }])
    expect(config.routes).toMatchObject([{ domains: ['*'], to: 'maildir:./data/maildir', tls: 'may' }])
    expect(config.relay).toEqual({ domains: [], networks: [] })
    expect(config.limits.message_size).toBe(25 * 1024 * 1024)
    expect(config.delivery.lifetime).toBe(5 * 24 * 3_600_000)
  })

  test('no scanner is a choice that has to be written down', () => {
    expect(configOf('plugins: []').plugins).toEqual([])
  })

  test('a section whose keys are all commented out is as good as absent', () => {
    expect(configOf('limits:\n  # recipients: 5\nplugins: []')).toEqual(configOf('plugins: []'))
  })

  test('the host name is a full one in any case', () => {
    expect(defaultHostname('MX.example.com')).toBe('mx.example.com')
    expect(defaultHostname('vm')).toBe('vm.localdomain')
    expect(defaultHostname('my_laptop')).toBe('localhost.localdomain')
    expect(defaultHostname('')).toBe('localhost.localdomain')
  })
})

test('domains become lower-case A-labels', () => {
  const config = configOf('relay: { domains: [EXAMPLE.com, bücher.example] }')
  expect(config.relay.domains).toEqual(['example.com', 'xn--bcher-kva.example'])
})

test('YAML anchors and merge keys spare repetition', () => {
  const config = configOf('listeners: [&first { address: "::1", port: 25 }, { <<: *first, port: 26 }]')
  expect(config.listeners[1]).toEqual({ address: '::1', port: 26, mode: 'mx' })
})

test('client networks: a network, an address, IPv6', () => {
  const networks = ['192.0.2.0/24', '198.51.100.7', '2001:db8::/32', '10.0.0.0/8']
  expect(configOf(`relay: { networks: ${JSON.stringify(networks)} }`).relay.networks).toEqual(networks)
})

test.each(['smtp://mail.example.com:25', 'lmtp://127.0.0.1:24', 'smtp://[2001:db8::1]:2525', 'maildir:/var/mail'])(
  'next hop %s',
  to => {
    expect(configOf(`routes: [{ domains: ['*'], to: '${to}' }]`).routes[0]?.to).toBe(to)
  },
)

describe('the file that we ship', () => {
  const text = readFileSync('config/elemta.yaml', 'utf8')

  test('says nothing but the defaults, except for the example domains', () => {
    const domains = ['example.com', 'localhost']
    expect(configOf(text)).toEqual(configOf(`relay: { domains: ${JSON.stringify(domains)} }`))
  })

  test('names every key, as often as there are places for it', () => {
    const wanted = Map.groupBy(keysIn(JSON.parse(configJsonSchema()).properties), key => key)
    // For secrets the file shows `password_file`, which is the better way.
    const named = (key: string) => text.match(new RegExp(`^[ #-]*${key}(_file)?:`, 'gm'))?.length ?? 0
    const missing = [...wanted].filter(([key, places]) => named(key) < places.length).map(([key]) => key)
    expect(missing).toEqual([])
  })

  test('its JSON Schema is up to date (npx elemta config schema > config/elemta.schema.json; npm run fix)', () => {
    expect(text).toMatch(/^# yaml-language-server: \$schema=\.\/elemta\.schema\.json\n/)
    expect(JSON.parse(readFileSync('config/elemta.schema.json', 'utf8'))).toEqual(JSON.parse(configJsonSchema()))
  })
})

/** All property names of a JSON Schema, at any depth. */
function keysIn(properties: Record<string, unknown>): string[] {
  const inside = (value: unknown): string[] => {
    if (typeof value !== 'object' || value === null) return []
    const { properties: inner, default: _, ...rest } = value as Record<string, unknown>
    return [...(inner ? keysIn(inner as Record<string, unknown>) : []), ...Object.values(rest).flatMap(inside)]
  }
  return Object.entries(properties).flatMap(([key, value]) => [key, ...inside(value)])
}

describe('config show', () => {
  test('its output loads again as the same configuration', () => {
    const config = configOf(`
hostname: mx.example.com
data_dir: '/srv/$\${odd}'
limits: { message_size: 1500, command_timeout: 90s }
scan: { concurrency: 3 }
delivery: { retry_schedule: [500ms, 2h], lifetime: 1w }
relay: { domains: [example.com], networks: ['2001:db8::/32'] }
plugins: [{ name: clamav, config: { stream_max: 100MB, managed: false } }, { name: rspamd, enabled: false }]
`)
    const shown = formatConfig(config)
    expect(configOf(shown)).toEqual(config)
    expect(parse(shown)).toMatchObject({
      limits: { message_size: '1500B', command_timeout: '90s', data_timeout: '3m' },
      delivery: { retry_schedule: ['500ms', '2h'], lifetime: '7d' },
    })
  })

  test('masks secrets', () => {
    const shown = formatConfig(configOf('plugins: [{ name: rspamd, config: { password: q1w2e3 } }]'))
    expect(shown).not.toContain('q1w2e3')
    expect(shown).toContain('password: "********"')
  })
})

describe('which file', () => {
  let folder: string
  const home = process.cwd()
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'elemta-config-'))
    process.chdir(folder)
  })
  afterEach(() => {
    process.chdir(home)
    rmSync(folder, { recursive: true })
  })

  test('the one that is named', () => {
    writeFileSync('mine.yaml', 'hostname: mine.example.com')
    expect(loadConfig('mine.yaml', {}).hostname).toBe('mine.example.com')
  })

  test('a named one that is missing is an error, whatever else there is', () => {
    expect(() => loadConfig('mine.yaml', {})).toThrow('there is no such file: mine.yaml')
  })

  test('none at all: the error says where we looked', () => {
    expect(() => loadConfig(undefined, {})).toThrow(
      'there is no configuration file: tried ./config/elemta.yaml and /etc/elemta/elemta.yaml; name one with --config FILE',
    )
  })

  test('a folder in its place', () => {
    expect(() => loadConfig('.', {})).toThrow(ConfigError)
    expect(() => loadConfig('.', {})).toThrow(/^\.: cannot be read: EISDIR/)
  })
})

test('the schema gives a Config for an object, too', () => {
  expect(configSchema.parse({ hostname: 'mx.example.com', plugins: [] }).scan.wait).toBe(0)
})
