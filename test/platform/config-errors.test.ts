// What a person sees who made a mistake: file, line, column, key, what is wrong, and what was probably meant.
import { describe, expect, test } from 'vitest'
import { nearest } from '../../src/platform/config-errors.ts'
import { problemsOf } from './parse-config.ts'

const PLUGINS = 'clamav, rspamd, greylist, dnsbl, helo, sender-domain, recipients or rate-limit'
const OPEN_RELAY = 'is the whole Internet: this would be an open relay; name the networks that may send through you'

describe('one mistake', () => {
  test.each<[string, string, string]>([
    ['an unknown key', 'limts: {}', '1:1: limts: unknown key; did you mean "limits"?'],
    ['an unknown key like no other', 'colour: red', '1:1: colour: unknown key'],
    ['a hyphen', 'data-dir: x', '1:1: data-dir: unknown key; did you mean "data_dir"?'],
    [
      'an unknown key in a plugin',
      'plugins:\n  - name: clamav\n    config:\n      timout: 30s',
      '4:7: plugins[0].config.timout: unknown key; did you mean "timeout"?',
    ],
    [
      'a key of the other plugin',
      'plugins:\n  - name: clamav\n    config: { reject_score: 5 }',
      '3:15: plugins[0].config.reject_score: unknown key',
    ],
    [
      'an unknown plugin',
      'plugins: [{ name: clamv }]',
      `1:19: plugins[0].name: there is no "clamv": expected ${PLUGINS}; did you mean "clamav"?`,
    ],
    [
      'a plugin without a name',
      'plugins: [{ enabled: true }]',
      `1:11: plugins[0].name: is missing: expected ${PLUGINS}`,
    ],
    [
      'not among the choices',
      'ingress:\n  bare_newline: normalise',
      '2:17: ingress.bare_newline: expected normalize or reject, not "normalise"; did you mean "normalize"?',
    ],
    ['text for a number', 'ops: { port: http }', '1:14: ops.port: expected a number, not "http"'],
    ['a fraction', 'limits: { recipients: 1.5 }', '1:23: limits.recipients: expected a whole number, not 1.5'],
    [
      'text for a truth value',
      'plugins: [{ name: rspamd, enabled: maybe }]',
      '1:36: plugins[0].enabled: expected true or false, not "maybe"',
    ],
    ['a list for a group', 'limits: []', '1:9: limits: expected a group of keys, not a list'],
    ['text for a group', 'ops: 8080', '1:6: ops: expected a group of keys, not 8080'],
    [
      'nothing for a list',
      'relay: { domains: }',
      '1:19: relay.domains: expected a list, not nothing: write [] for an empty one',
    ],
    ['the wrong top', '- hostname', '1:1: expected a group of keys, not a list'],
    ['too large a port', 'ops: { port: 70000 }', '1:14: ops.port: must be at most 65535, not 70000'],
    ['too small', 'limits: { recipients: 0 }', '1:23: limits.recipients: must be at least 1, not 0'],
    ['no listener', 'listeners: []', '1:12: listeners: must not be empty'],
    [
      'a missing key',
      'listeners:\n  - { address: 127.0.0.1 }',
      '2:5: listeners[0].port: is missing: expected a number',
    ],
    [
      'a duration without a unit',
      'limits:\n  command_timeout: 30',
      '2:20: limits.command_timeout: a duration needs its unit: write 30s for seconds, 30ms for milliseconds',
    ],
    [
      'no size',
      'limits: { message_size: 25 megabytes }',
      '1:25: limits.message_size: expected a size such as 25MB, 512KB or 1000 (octets), not "25 megabytes"',
    ],
    [
      'a list for a size',
      'limits: { message_size: [] }',
      '1:25: limits.message_size: expected a number or text with a unit, not a list',
    ],
    [
      'a host name without a dot',
      'hostname: mx',
      '1:11: hostname: expected a full host name such as mx.example.com, not "mx"',
    ],
    [
      'no domain',
      'relay: { domains: [exa mple.com] }',
      '1:20: relay.domains[0]: expected a domain such as example.com, not "exa mple.com"',
    ],
    [
      'every domain',
      'relay: { domains: ["*"] }',
      '1:20: relay.domains[0]: expected a domain such as example.com, not "*"',
    ],
    ['the IPv4 Internet', 'relay: { networks: [0.0.0.0/0] }', `1:21: relay.networks[0]: 0.0.0.0/0 ${OPEN_RELAY}`],
    ['the IPv6 Internet', 'relay: { networks: ["::/0"] }', `1:21: relay.networks[0]: ::/0 ${OPEN_RELAY}`],
    [
      'the IPv4 Internet in disguise',
      'relay: { networks: ["::ffff:0:0/96"] }',
      `1:21: relay.networks[0]: ::ffff:0:0/96 ${OPEN_RELAY}`,
    ],
    [
      'bits behind the prefix',
      'relay: { networks: [10.1.2.3/8] }',
      '1:21: relay.networks[0]: 10.1.2.3/8 has bits behind its prefix; did you mean 10.0.0.0/8, or 10.1.2.3 alone?',
    ],
    [
      'no network',
      'relay: { networks: [10.0.0.0/33] }',
      '1:21: relay.networks[0]: expected a network such as 192.0.2.0/24 or an IP address, not "10.0.0.0/33"',
    ],
    [
      'a name to listen on',
      'ops: { address: localhost }',
      '1:17: ops.address: expected an IP address such as 127.0.0.1, 0.0.0.0 or ::, not "localhost"',
    ],
    [
      'host and port in one',
      'plugins: [{ name: clamav, config: { host: "clamav:3310" } }]',
      '1:43: plugins[0].config.host: expected a host name or an IP address, not "clamav:3310"; the port has its own key',
    ],
    [
      'an unknown kind of next hop',
      'routes: [{ domains: ["*"], to: "http://x:1" }]',
      '1:32: routes[0].to: expected maildir:PATH, smtp://HOST:PORT, smtps://HOST:PORT, lmtp://HOST:PORT or mx:, not "http://x:1"',
    ],
    [
      'a next hop without a port',
      'routes: [{ domains: ["*"], to: "lmtp://x" }]',
      '1:32: routes[0].to: the port is missing: write lmtp://x:24',
    ],
    [
      'submission without users',
      'listeners: [{ port: 587, mode: submission }]',
      '1:32: listeners[0].mode: submission needs users: set auth.users_file or auth.ldap',
    ],
    ['too long a wait', 'scan: { wait: 20m }', '1:15: scan.wait: no client waits that long: at most 5m'],
    [
      'a rate without a time',
      'plugins: [{ name: rate-limit, config: { messages: 60 } }]',
      '1:51: plugins[0].config.messages: expected text, not 60',
    ],
    [
      'a wrong key in a plugin of one’s own',
      'plugins: [{ name: ./check.ts, mod: log }]',
      '1:31: plugins[0].mod: unknown key; did you mean "mode"?',
    ],
    [
      'a retry without a pause',
      'delivery: { retry_schedule: [0s] }',
      '1:29: delivery.retry_schedule: a wait of 0s, or none at all, would retry without a pause',
    ],
    ['the same key twice', 'hostname: a.example\nhostname: b.example', '2:1: the same key stands here twice'],
    ['a tab', 'limits:\n\trecipients: 5', '2:1: not valid YAML: Tabs are not allowed as indentation'],
    [
      'an unclosed list',
      'relay:\n  domains: [a.example\n',
      '3:1: not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]',
    ],
  ])('%s', (_, yaml, problem) => {
    expect(problemsOf(yaml)).toEqual([`elemta.yaml:${problem}`])
  })
})

describe('contradictions', () => {
  test.each<[string, string, string]>([
    [
      'clamd would not take what we accept',
      'plugins: [{ name: clamav, config: { stream_max: 10MB } }]',
      '1:49: plugins[0].config.stream_max: 10MB is below limits.message_size (25MB): larger messages could never be scanned; raise StreamMaxLength of clamd and this, or lower the message size',
    ],
    [
      'Rspamd would not, and the rest would wait for ever',
      'plugins: [{ name: rspamd, config: { max_size: 1MB, on_error: defer } }]',
      '1:47: plugins[0].config.max_size: 1MB is below limits.message_size (25MB): with on_error: defer, larger messages would wait until they expire; raise max_message of rspamd and this, or choose hold or tag',
    ],
    [
      'one scanner twice',
      'plugins: [{ name: rspamd }, { name: rspamd }]',
      '1:37: plugins[1].name: rspamd is already in plugins[0]',
    ],
    [
      'two listeners on one port',
      'listeners: [{ port: 25 }, { port: 25 }]',
      '1:35: listeners[1].port: port 25 is taken by listeners[0]',
    ],
    [
      'two listeners, one on every address',
      'listeners: [{ port: 25, address: 0.0.0.0 }, { port: 25 }]',
      '1:53: listeners[1].port: port 25 is taken by listeners[0]',
    ],
    [
      'two listeners, one on every address of both families',
      'listeners: [{ port: 25, address: 127.0.0.2 }, { port: 25, address: "::" }]',
      '1:55: listeners[1].port: port 25 is taken by listeners[0]',
    ],
    ["the operator's port", 'ops:\n  port: 2525', '2:9: ops.port: port 2525 is taken by listeners[0]'],
    [
      'a domain without a route',
      'relay: { domains: [a.example, b.example] }\nroutes: [{ domains: [a.example], to: "maildir:x" }]',
      '1:31: relay.domains[1]: no route leads to b.example: add one for it, or for "*"',
    ],
    [
      'a subdomain pattern is not the domain',
      'relay: { domains: [a.example] }\nroutes: [{ domains: ["*.a.example"], to: "maildir:x" }]',
      '1:20: relay.domains[0]: no route leads to a.example: add one for it, or for "*"',
    ],
    [
      'networks without a route to everywhere',
      'relay: { networks: [10.0.0.0/8] }\nroutes: [{ domains: [a.example], to: "maildir:x" }]',
      '1:20: relay.networks: clients in these networks may send to any domain, but there is no route for "*"',
    ],
    [
      'two routes for one domain',
      'routes: [{ domains: ["*"], to: "maildir:x" }, { domains: ["*"], to: "maildir:y" }]',
      '1:59: routes[1].domains[0]: "*" is already in routes[0]',
    ],
  ])('%s', (_, yaml, problem) => {
    expect(problemsOf(yaml)).toEqual([`elemta.yaml:${problem}`])
  })
})

test('all mistakes of a file are reported at once, in its order, contradictions among them', () => {
  const yaml = `hostname: mx
limits:
  message_size: 20MB
  recipents: 50
plugins:
  - name: clamav
    config:
      timeout: 30
      stream_max: 10MB
  - name: rspmd
relay:
  networks: [0.0.0.0/0]
routs: []
log:
  level: \${LEVEL}
`
  expect(problemsOf(yaml).map(line => line.replace(/: .*/, ''))).toEqual([
    'elemta.yaml:1:11',
    'elemta.yaml:4:3',
    'elemta.yaml:8:16',
    'elemta.yaml:9:19',
    'elemta.yaml:10:11',
    'elemta.yaml:12:14',
    'elemta.yaml:13:1',
    'elemta.yaml:15:10',
  ])
})

test('what follows from a value that is wrong itself is not reported: it may be untrue', () => {
  const clamav = 'plugins: [{ name: clamav, config: { stream_max: 10MB } }]'
  expect(problemsOf(`limits: { message_size: 5 MBs }\n${clamav}`)).toHaveLength(1)
  const routes = 'routes: [{ domains: [a.example], to: "smtp:x" }]'
  expect(problemsOf(`relay: { domains: [a.example] }\n${routes}`)).toHaveLength(1)
})

test('a group without its required keys does not hide what is wrong elsewhere', () => {
  const yaml = 'listeners: [{ port: 25 }, { port: 25 }]\nroutes:\n  - {}\n  - { domains: ["*"], to: "maildir:x" }'
  expect(problemsOf(yaml)).toEqual([
    'elemta.yaml:1:35: listeners[1].port: port 25 is taken by listeners[0]',
    'elemta.yaml:3:5: routes[0].domains: is missing: expected a list',
    'elemta.yaml:3:5: routes[0].to: is missing: expected text or a list',
  ])
})

test('a name is suggested only when it is near', () => {
  const keys = ['timeout', 'host', 'port', 'log_clean']
  expect(['timout', 'TIMEOUT', 'tiemout', 'hots', 'logclean', 'xyz', 'a'].map(key => nearest(key, keys))).toEqual([
    'timeout',
    'timeout',
    'timeout',
    'host',
    'log_clean',
    undefined,
    undefined,
  ])
})

test('names that JavaScript knows are unknown keys like any other', () => {
  for (const key of ['constructor', 'toString', 'toString_file', 'hasOwnProperty']) {
    expect(problemsOf(`${key}: "\${X:-x}"`)).toEqual([`elemta.yaml:1:1: ${key}: unknown key`])
  }
})

test('an alias that leads nowhere, and one that explodes', () => {
  expect(problemsOf('data_dir: *nowhere')[0]).toContain('not valid YAML: Unresolved alias')
  const bomb = [
    'a: &a [x,x,x,x,x,x,x,x,x,x]',
    ...'bcdefghi'.split('').map((name, n) => `${name}: &${name} [${Array(10).fill(`*${'abcdefgh'[n]}`).join()}]`),
  ]
  expect(problemsOf(bomb.join('\n'))[0]).toContain('not valid YAML: Excessive alias count')
})
