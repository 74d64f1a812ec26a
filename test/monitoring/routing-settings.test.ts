// monitoring/routing.yaml: what is taken, what is refused and why, and what is written for a site.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { installRouting } from '../../monitoring/routing/install.ts'
import { ROUTING_FILE } from '../../monitoring/routing/render.ts'
import { loadRouting, parseRouting } from '../../monitoring/routing/settings.ts'
import { isOwnListener } from '../../monitoring/routing/settings-rules.ts'
import { formatTime, gaps, parseTimes, parseWeekdays, spansOf } from '../../monitoring/routing/week.ts'

const SLACK = 'slack: { webhook_url_file: /run/secrets/slack }\n'
const EMAIL = 'email: { from: a@example.com, to: [ops@example.com], smarthost: "smtp.example.com:587" }\n'
const GATEWAY = {
  hostname: 'mx.example.com',
  listeners: [
    { address: '127.0.0.1', port: 2525 },
    { address: '0.0.0.0', port: 25 },
    { address: '192.0.2.7', port: 587 },
  ],
}

test('the shipped file is right, and its commented examples are, too', () => {
  expect(loadRouting(ROUTING_FILE, GATEWAY).grouping.wait).toBe(30_000)
  const text = readFileSync(ROUTING_FILE, 'utf8')
  const start = text.indexOf('email:')
  const everything = text
    .slice(start)
    .replaceAll(/^warnings: \{\}$/gm, 'warnings:')
    .replaceAll(/^( *)(people): \{\}$/gm, '$1$2:')
    .replaceAll(/^( *)(first|second|maintenance): \[\]/gm, '$1$2:')
    .replaceAll(/^( *)# ( *(?:- |[a-z_]+:(?: |$)))/gm, '$1$2')
  const settings = parseRouting(everything)
  expect(Object.keys(settings.on_call.people)).toEqual(['alice', 'bob'])
  expect(settings.maintenance.map(({ name }) => name)).toEqual(['patch-day', 'new-disks'])
  expect(settings).toMatchObject({
    email: { user: 'elemta-alerts@example.com' },
    slack: { info: '#elemta-info' },
    dead_mans_switch: { every: 60_000 },
    warnings: { only_during: { weekdays: [1, 2, 3, 4, 5] } },
  })
})

describe('refused', () => {
  const refused: [string, string, RegExp][] = [
    ['a misspelt key', `${EMAIL}slak: {}`, /routing.yaml:2:1: slak: unknown key; did you mean "slack"/],
    ['nobody to tell', 'grouping: {}', /nobody would be told of anything/],
    ['a smarthost without a port', EMAIL.replace(':587', ''), /email.smarthost: expected HOST:PORT/],
    ['a user without a password', EMAIL.replace('from', 'user: x, from'), /user and password_file belong together/],
    ['two addresses for one switch', `${SLACK}dead_mans_switch: { url: "http://a.example", url_file: x }`, /either/],
    ['a sign of life too seldom', `${SLACK}dead_mans_switch: { url: "http://a.example", every: 1h }`, /1m and 5m/],
    ['an unknown time zone', `${SLACK}on_call: { time_zone: Mars/Olympus }`, /no time zone "Mars\/Olympus"/],
    ['a stranger on call', `${EMAIL}on_call: { first: [{ who: eve }] }`, /eve is not among on_call.people/],
    [
      'hours without anybody',
      `${EMAIL}on_call: { people: { al: { email: al@example.com } }, first: [{ who: al, times: "08:00-24:00" }] }`,
      /nobody is first in line on sunday 00:00-08:00, nor at 6 more times/,
    ],
    ['a day that is none', `${SLACK}warnings: { only_during: { weekdays: someday } }`, /expected a day or days/],
    ['hours that are none', `${SLACK}maintenance: [{ name: x, times: "8-9" }]`, /expected times such as 09:00-17:00/],
    ['a date that is none', `${SLACK}maintenance: [{ name: x, date: 2027-02-30 }]`, /expected a date/],
  ]
  test.each(refused)('%s', (_, text, problem) => {
    expect(() => parseRouting(text)).toThrow(problem)
  })

  test('the gateway as the smarthost of its own alerts, and it says why', () => {
    const text = EMAIL.replace('smtp.example.com:587', 'localhost:2525')
    expect(() => parseRouting(text, 'routing.yaml', GATEWAY)).toThrow(
      /email.smarthost: localhost:2525 is the gateway that the alerts are about: when it fails/,
    )
  })
})

test.each([
  ['mx.example.com:2587', true], // its name, whatever the port
  ['MX.example.com.:25', true],
  ['elemta:2525', true], // its name among containers
  ['localhost:2525', true],
  ['[::1]:25', true], // 0.0.0.0 and :: are this machine by any of its addresses
  ['127.0.0.1:25', true],
  ['192.0.2.7:587', true],
  ['[::ffff:192.0.2.7]:587', true],
  ['192.0.2.7:25', false], // not an address of this machine
  ['localhost:587', false], // another server may listen there
  ['smtp.example.com:25', false],
  ['192.0.2.8:587', false],
])('%s is one of the gateway’s listeners: %s', (smarthost, own) => {
  expect(isOwnListener(smarthost, GATEWAY)).toBe(own)
})

describe('hours of the week', () => {
  test('days', () => {
    expect(parseWeekdays('monday:friday')).toEqual([1, 2, 3, 4, 5])
    expect(parseWeekdays('friday:monday')).toEqual([0, 1, 5, 6])
    expect(parseWeekdays(['Sunday', 'wednesday'])).toEqual([0, 3])
  })

  test('a night is an evening and the next morning', () => {
    const night = spansOf([5, 6], parseTimes('20:00-08:00'))
    expect(night.map(({ days, hours }) => [days, formatTime(hours.start), formatTime(hours.end)])).toEqual([
      [[5, 6], '20:00', '24:00'],
      [[6, 0], '00:00', '08:00'],
    ])
    expect(spansOf([1], parseTimes('18:00-00:00'))).toEqual([{ days: [1], hours: { start: 1080, end: 1440 } }])
  })

  test('what no shift covers', () => {
    const day = spansOf([0, 1, 2, 3, 4, 5, 6], parseTimes('08:00-20:00'))
    const nights = spansOf([0, 1, 2, 3, 4, 5], parseTimes('20:00-08:00'))
    expect(gaps([...day, ...nights])).toEqual(['sunday 00:00-08:00', 'saturday 20:00-24:00'])
    expect(gaps([...day, ...spansOf([0, 1, 2, 3, 4, 5, 6], parseTimes('20:00-08:00'))])).toEqual([])
  })
})

describe('written for a site', () => {
  let dir: string
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'elemta-routing-'))
  })
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  function file(name: string, text: string): string {
    writeFileSync(join(dir, name), text)
    return join(dir, name)
  }

  test('the dead-man’s URL comes from its file, into a configuration that only its owner can read', () => {
    const secret = file('url', 'https://hc.example.com/ping/7\n')
    const routing = file('routing.yaml', `${SLACK}dead_mans_switch: { url_file: ${secret} }`)
    installRouting({ out: dir, routing })
    const written = join(dir, 'alertmanager/alertmanager.yml')
    expect(readFileSync(written, 'utf8')).toContain('url: https://hc.example.com/ping/7\n')
    expect(statSync(written).mode & 0o777).toBe(0o600)
  })

  test('nothing is written when the smarthost is the gateway, or a secret cannot be used', () => {
    const gateway = file('elemta.yaml', 'listeners: [{ address: 127.0.0.1, port: 2525 }]\n')
    const own = file('own.yaml', EMAIL.replace('smtp.example.com:587', '127.0.0.1:2525'))
    expect(() => installRouting({ out: join(dir, 'out'), routing: own, gateway })).toThrow(/is the gateway/)
    const missing = file('missing.yaml', `${SLACK}dead_mans_switch: { url_file: ${dir}/none }`)
    expect(() => installRouting({ out: join(dir, 'out'), routing: missing })).toThrow(/url_file: cannot be read/)
    const password = file('password', 'correct horse\n')
    const user = `user: x, password_file: ${password}, from`
    const lineEnd = file('line-end.yaml', EMAIL.replace('from', user))
    expect(() => installRouting({ out: join(dir, 'out'), routing: lineEnd })).toThrow(/ends in a line end/)
    expect(() => statSync(join(dir, 'out'))).toThrow(/ENOENT/)
  })
})
