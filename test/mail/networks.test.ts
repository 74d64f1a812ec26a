import { expect, test } from 'vitest'
import { canonicalAddress, createNetworks } from '../../src/mail/networks.ts'

const isIn = createNetworks(['10.1.0.0/16', '192.0.2.7', '2001:db8::/32', '::ffff:172.16.0.0/108'], 'networks')

test.each([
  ['10.1.0.0', true],
  ['10.1.255.255', true],
  ['10.2.0.0', false],
  ['::ffff:10.1.2.3', true],
  ['192.0.2.7', true],
  ['192.0.2.8', false],
  ['2001:db8:ffff::1', true],
  ['2001:db9::1', false],
  ['172.31.0.1', true],
  ['172.32.0.1', false],
  ['', false],
  ['unknown', false],
])('%j is in the networks: %s', (address, expected) => {
  expect(isIn(address)).toBe(expected)
})

test('an empty list holds nobody', () => {
  expect(createNetworks([], 'networks')('10.1.0.0')).toBe(false)
})

test.each(['10.0.0.0/33', 'example.com', '10.0.0', '0x0a', '', '10.0.0.0/', '::1/129'])('%j is no network', text => {
  expect(() => createNetworks([text], 'ingress.proxies')).toThrow(/ingress\.proxies: .* is no network/)
})

test.each([
  ['2001:DB8:0::1', '2001:db8::1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::ffff:c000:201', '192.0.2.1'],
  ['192.0.2.1', '192.0.2.1'],
  ['192.0.2', undefined],
  ['fe80::1%eth0', undefined],
  ['', undefined],
])('the one spelling of %j is %j', (text, expected) => {
  expect(canonicalAddress(text)).toBe(expected)
})
