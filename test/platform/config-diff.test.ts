// What a reload says of a changed configuration.
import { expect, test } from 'vitest'
import { configChanges } from '../../src/platform/config-diff.ts'
import { configOf } from './parse-config.ts'

const ROUTE = 'routes: [{ domains: ["*"], to: "maildir:./m" }]'
const of = (...lines: string[]) => configOf([ROUTE, ...lines].join('\n'))

test('nothing changed', () => {
  expect(configChanges(of('limits: { message_size: 1MB }'), of('limits: { message_size: 1MB }'))).toEqual([])
})

test('keys by their names in the file, values as people write them', () => {
  const before = of('relay: { domains: [a.example] }', 'limits: { data_timeout: 180s, message_size: 25MB }')
  const after = of('relay: { domains: [a.example, b.example] }', 'limits: { data_timeout: 90s, message_size: 5MB }')
  expect(configChanges(before, after)).toEqual([
    { key: 'relay.domains', from: ['a.example'], to: ['a.example', 'b.example'] },
    { key: 'limits.message_size', from: '25MB', to: '5MB' },
    { key: 'limits.data_timeout', from: '3m', to: '90s' },
  ])
})

test('lists of groups place by place', () => {
  const before = configOf('routes: [{ domains: ["*"], to: "maildir:./m" }]')
  const after = configOf('routes: [{ domains: ["*"], to: "maildir:./n" }, { domains: [a.example], to: "smtp://a:25" }]')
  expect(configChanges(before, after)).toEqual([
    { key: 'routes[0].to', from: 'maildir:./m', to: 'maildir:./n' },
    { key: 'routes[1]', from: undefined, to: expect.objectContaining({ domains: ['a.example'], to: 'smtp://a:25' }) },
  ])
})

test('plugins by their names: one more in front is one change', () => {
  const before = of('plugins: [{ name: clamav }, { name: greylist }, { name: ./a.ts, config: { word: x } }]')
  const after = of(
    'plugins: [{ name: helo }, { name: clamav }, { name: greylist, config: { delay: 1m } }, { name: ./a.ts, mode: log, config: { word: y } }]',
  )
  expect(configChanges(before, after)).toEqual([
    { key: 'plugins[greylist].config.delay', from: '5m', to: '1m' },
    { key: 'plugins[./a.ts].mode', from: 'enforce', to: 'log' },
    { key: 'plugins[./a.ts].config.word', from: 'x', to: 'y' },
    { key: 'plugins[helo]', from: undefined, to: expect.objectContaining({ name: 'helo', mode: 'enforce' }) },
  ])
})

test('one less, and another order', () => {
  const before = of('plugins: [{ name: helo }, { name: clamav }, { name: greylist }]')
  const after = of('plugins: [{ name: greylist }, { name: helo }]')
  expect(configChanges(before, after)).toEqual([
    { key: 'plugins[clamav]', from: expect.objectContaining({ name: 'clamav' }), to: undefined },
    { key: 'plugins', from: ['helo', 'greylist'], to: ['greylist', 'helo'] },
  ])
})

const hiding: [what: string, line: (secret: string) => string, key: string][] = [
  [
    'a secret',
    secret => `plugins: [{ name: rspamd, config: { password: ${secret} } }]`,
    'plugins[rspamd].config.password',
  ],
  [
    'a nested one',
    secret => `auth: { ldap: { url: "ldap://a", base: o=a, bind_password: ${secret} } }`,
    'auth.ldap.bind_password',
  ],
  [
    'a password in a URL',
    secret => `plugins: [{ name: recipients, config: { http: "https://me:${secret}@a.example/" } }]`,
    'plugins[recipients].config.http',
  ],
  [
    'a customer’s key in a zone',
    secret => `plugins: [{ name: dnsbl, config: { zones: [{ zone: ${secret}.zen.dq.spamhaus.net }] } }]`,
    'plugins[dnsbl].config.zones[0].zone',
  ],
  [
    'a secret of the site’s plugin',
    secret => `plugins: [{ name: ./a.ts, config: { api: { api_key: ${secret} } } }]`,
    'plugins[./a.ts].config.api.api_key',
  ],
]

test.each(hiding)('%s: that it changed, not what it is', (_what, line, key) => {
  const [one, other] = ['abcdefghijklmnopqrst', 'zyxwvutsrqponmlkjihg']
  const changes = configChanges(of(line(one)), of(line(other)))
  expect(changes).toEqual([{ key, from: '(secret)', to: '(another secret)' }])
  const added = JSON.stringify(configChanges(of(), of(line(one))))
  expect(added).toContain('********')
  expect(added).not.toContain(one)
})
