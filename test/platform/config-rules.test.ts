// Settings that are legal but that their owner should know of.
import { describe, expect, test } from 'vitest'
import { configWarnings } from '../../src/platform/config-rules.ts'
import { configOf } from './parse-config.ts'

const DOMAINS = 'relay: { domains: [example.com] }\n'

describe('warnings', () => {
  test('none for the defaults with a domain', () => {
    expect(configWarnings(configOf(DOMAINS))).toEqual([])
  })

  test.each([
    ['plugins: []', 'no scanner is enabled: mail passes unscanned'],
    ['plugins: [{ name: clamav, enabled: false }]', 'no scanner is enabled: mail passes unscanned'],
    ['plugins: [{ name: rspamd }]', 'clamav is not enabled: mail is not scanned for viruses'],
    [
      'plugins: [{ name: clamav, config: { on_error: tag } }]',
      'clamav: on_error: tag delivers mail that was not scanned for viruses when clamd fails',
    ],
    [
      'plugins: [{ name: clamav }, { name: rspamd, config: { max_size: 10MB } }]',
      'rspamd cannot scan messages from 10MB to 25MB: on_error: tag decides about them',
    ],
    [
      'listeners: [{ port: 587, mode: submission }]\nauth: { users_file: u }\nroutes: [{ domains: [example.com], to: "maildir:m" }]',
      'users may send to any domain, but there is no route for "*": their mail to others waits, then fails',
    ],
    ['limits: { recipients: 10 }', 'limits.recipients: RFC 5321 asks for at least 100'],
  ])('%s', (yaml, warning) => {
    expect(configWarnings(configOf(DOMAINS + yaml))).toEqual([warning])
  })

  test('only users can send', () => {
    expect(configWarnings(configOf('listeners: [{ port: 587, mode: submission }]\nauth: { users_file: u }'))).toEqual([
      'relay.domains and relay.networks are empty: mail will be accepted from users who log in alone',
    ])
  })

  test('nobody can send anything', () => {
    expect(configWarnings(configOf(''))).toEqual([
      'relay.domains and relay.networks are empty: no mail will be accepted',
    ])
  })
})

describe('no contradiction', () => {
  test.each([
    ['limits that agree', 'plugins: [{ name: clamav, config: { stream_max: 25MB } }]'],
    ['a scanner that is not enabled', 'plugins: [{ name: clamav, enabled: false, config: { stream_max: 1MB } }]'],
    ['any free port, twice', 'listeners: [{ port: 0 }, { port: 0 }]\nops: { port: 0 }'],
    ['one port on two addresses', 'listeners: [{ port: 25 }, { port: 25, address: "::1" }]'],
    [
      'a subdomain under its pattern',
      'relay: { domains: [a.b.example] }\nroutes: [{ domains: ["*.b.example"], to: "maildir:x" }]',
    ],
  ])('%s', (_, yaml) => {
    expect(() => configOf(yaml)).not.toThrow()
  })
})

describe('the canary', () => {
  test('cannot have a deadline beyond its interval', () => {
    expect(() => configOf(`${DOMAINS}canary: { interval: 10s, deadline: 11s }`)).toThrow(/canary\.deadline.*longer/s)
    expect(configOf(`${DOMAINS}canary: { interval: 10s, deadline: 10s }`).canary.deadline).toBe(10_000)
    expect(configOf(`${DOMAINS}canary: { enabled: false, interval: 10s }`).canary.enabled).toBe(false)
  })
})
