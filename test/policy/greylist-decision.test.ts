import { expect, test } from 'vitest'
import { countPass, decideTriplet } from '../../src/policy/greylist-decision.ts'
import { networkOf, readTripletKey, tripletKey } from '../../src/policy/greylist-key.ts'

const AT = 1_700_000_000_000
const times = { delay: 300, retryWindow: 1000, lifetime: 5000, autoAllow: 5 }
const waiting = { value: { firstSeen: AT, lastSeen: AT, passes: 0 }, expiresAt: AT + 1000 }

test('an entry whose time is over, or that is no triplet, is none', () => {
  for (const [entry, now] of [
    [undefined, AT],
    [waiting, AT + 1000],
    [{ value: { something: 'else' }, expiresAt: AT + 9999 }, AT],
  ] as const) {
    expect(decideTriplet(entry, now, times)).toEqual({
      decision: { kind: 'new', wait: 300 },
      entry: { value: { firstSeen: now, lastSeen: now, passes: 0 }, expiresAt: now + 1000 },
    })
  }
})

test('a triplet that was allowed for longer than a lifetime keeps its time', () => {
  const allowed = { value: { firstSeen: AT, lastSeen: AT, passes: 1 }, expiresAt: AT + 99_999 }
  expect(decideTriplet(allowed, AT + 1, times).entry?.expiresAt).toBe(AT + 99_999)
})

test('a client that an operator allowed is not counted, so that its time ends as was said', () => {
  const allowed = { value: { passes: 0, last: '', allowed: true }, expiresAt: AT + 10 }
  expect(countPass(allowed, 'a message', AT, times)).toBeUndefined()
})

test('keys can be taken apart again', () => {
  for (const sender of ['', 'a@example.org', '"a b> <c"@example.org']) {
    const key = {
      client: networkOf('2001:db8::1', { ipv4_prefix: 24, ipv6_prefix: 64 }),
      sender,
      recipient: 'postmaster',
    }
    expect(readTripletKey(tripletKey(key))).toEqual(key)
  }
})
