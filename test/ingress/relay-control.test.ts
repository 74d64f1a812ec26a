import { describe, expect, test } from 'vitest'
import { createRelayControl, mayRelay } from '../../src/ingress/relay-control.ts'
import { clientKey } from '../../src/mail/client-network.ts'

const relay = createRelayControl(
  {
    domains: ['Example.com', '*.wild.test', 'bücher.example'],
    networks: ['10.1.0.0/16', '2001:db8::/32', '192.0.2.7'],
  },
  'mx.example.com',
)

describe('relay control', () => {
  test.each([
    ['203.0.113.1', 'bob@example.com', true],
    ['203.0.113.1', 'bob@sub.example.com', false],
    ['203.0.113.1', 'bob@notexample.com', false],
    ['203.0.113.1', 'bob@a.wild.test', true],
    ['203.0.113.1', 'bob@a.b.wild.test', true],
    ['203.0.113.1', 'bob@wild.test', false],
    ['203.0.113.1', 'bob@evilwild.test', false],
    ['203.0.113.1', 'bob@xn--bcher-kva.example', true],
    ['203.0.113.1', 'bob@elsewhere.test', false],
    ['203.0.113.1', 'bob', false],
    ['10.1.255.255', 'bob@elsewhere.test', true],
    ['10.2.0.0', 'bob@elsewhere.test', false],
    ['192.0.2.7', 'bob@elsewhere.test', true],
    ['192.0.2.8', 'bob@elsewhere.test', false],
    ['2001:db8:1::1', 'bob@elsewhere.test', true],
    ['2001:db9::1', 'bob@elsewhere.test', false],
    ['::ffff:10.1.2.3', 'bob@elsewhere.test', true],
    ['', 'bob@elsewhere.test', false],
  ])('from %s to %s: %s', (client, recipient, allowed) => {
    expect(mayRelay(relay, { address: client }, recipient)).toBe(allowed)
  })

  test.each(['0.0.0.0/0', '::/0', '0.0.0.0/1', '128.0.0.0/1', '::ffff:0.0.0.0/96', '::ffff:0:0/0', '2000::/3'])(
    'refuses to trust %s',
    network => {
      expect(() => createRelayControl({ domains: [], networks: [network] }, 'mx')).toThrow(/open relay/)
    },
  )

  test.each(['10.0.0.0/33', 'example.com', '10.0.0', ''])('does not take %j for a network', network => {
    expect(() => createRelayControl({ domains: [], networks: [network] }, 'mx')).toThrow(/no network/)
  })

  test.each(['*', '*.', '', 'exa mple.com', '*.*.com', '@example.com'])('does not take %j for a domain', domain => {
    expect(() => createRelayControl({ domains: [domain], networks: [] }, 'mx')).toThrow(/no domain/)
  })

  test.each([
    ['mx.example.com', ['mx.example.com', 'example.com'], 'postmaster@mx.example.com'],
    ['mx.example.com', ['example.com'], 'postmaster@example.com'],
    ['mx.example.com', ['*.example.com'], 'postmaster@mx.example.com'],
    ['mx.example.com', ['other.test'], undefined],
    ['localhost', ['example.com'], undefined],
  ])('the postmaster of %s with the domains %j is %s', (hostname, domains, expected) => {
    expect(createRelayControl({ domains, networks: [] }, hostname).postmaster).toBe(expected)
  })
})

test('an IPv6 client is its /64', () => {
  expect(clientKey('2001:db8:1:2:3::4')).toBe(clientKey('2001:db8:1:2:ffff::1'))
  expect(clientKey('2001:db8:1:2::')).not.toBe(clientKey('2001:db8:1:3::'))
  expect(clientKey('fe80::1%eth0')).toBe(clientKey('fe80::2'))
  expect(clientKey('192.0.2.1')).not.toBe(clientKey('192.0.2.2'))
})
