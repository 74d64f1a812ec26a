import { describe, expect, test } from 'vitest'
import { createRoutes, groupByRoute, nextHopName, parseTarget } from '../../src/deliver/routes.ts'

describe('a target', () => {
  test.each([
    ['maildir:./data/maildir', { kind: 'maildir', path: './data/maildir' }],
    ['maildir:/var/mail/all', { kind: 'maildir', path: '/var/mail/all' }],
    [
      'smtp://mail.example.com',
      { kind: 'next-hop', nextHop: { protocol: 'smtp', host: 'mail.example.com', port: 25 } },
    ],
    ['smtp://127.0.0.1:2526/', { kind: 'next-hop', nextHop: { protocol: 'smtp', host: '127.0.0.1', port: 2526 } }],
    ['lmtp://[::1]', { kind: 'next-hop', nextHop: { protocol: 'lmtp', host: '::1', port: 24 } }],
    ['LMTP://localhost:24', { kind: 'next-hop', nextHop: { protocol: 'lmtp', host: 'localhost', port: 24 } }],
  ])('%s is understood', (to, expected) => {
    expect(parseTarget(to)).toEqual(expected)
  })

  test.each([
    ['maildir:', 'has no path'],
    ['mail.example.com', 'is no way to deliver'],
    ['smtps://mail.example.com', 'is no way to deliver'],
    ['smtp://', 'is not HOST or HOST:PORT'],
    ['smtp://::1', 'is not HOST or HOST:PORT'],
    ['smtp://[mail.example.com]', 'is not HOST or HOST:PORT'],
    ['smtp://user@mail.example.com', 'is not HOST or HOST:PORT'],
    ['smtp://mail.example.com/path', 'is not HOST or HOST:PORT'],
    ['smtp://mail.example.com:0', 'is not a port'],
    ['smtp://mail.example.com:65536', 'is not a port'],
  ])('%j is refused: %s', (to, expected) => {
    expect(() => parseTarget(to)).toThrow(expected)
  })

  test('has a name for people', () => {
    expect(nextHopName({ protocol: 'lmtp', host: '::1', port: 24 })).toBe('lmtp://[::1]:24')
  })
})

describe('the route of a recipient', () => {
  const routes = createRoutes([
    { domains: ['*'], to: 'maildir:any' },
    { domains: ['example.com', 'Example.ORG'], to: 'maildir:exact' },
    { domains: ['*.example.com'], to: 'maildir:below' },
    { domains: ['*.deep.example.com'], to: 'maildir:deep' },
  ])

  test.each([
    ['a@example.com', 'exact'],
    ['a@EXAMPLE.com', 'exact'],
    ['a@example.org', 'exact'],
    ['a@x.example.com', 'below'],
    ['a@x.y.example.com', 'below'],
    ['a@deep.example.com', 'below'],
    ['a@x.deep.example.com', 'deep'],
    ['a@notexample.com', 'any'],
    ['"b@example.com"@other.example', 'any'],
    ['postmaster', 'any'],
  ])('%s goes to %s', (recipient, path) => {
    expect(routes(recipient)).toEqual({ kind: 'maildir', path })
  })

  test('is none without a pattern that fits', () => {
    expect(createRoutes([{ domains: ['example.com'], to: 'maildir:x' }])('a@example.org')).toBeUndefined()
  })

  test('groups recipients, each group in their order', () => {
    const groups = groupByRoute(['c@example.com', 'a@x.example.com', 'b@example.org'], routes)
    expect([...groups.values()]).toEqual([['c@example.com', 'b@example.org'], ['a@x.example.com']])
  })

  test('cannot be two', () => {
    const twice = [
      { domains: ['example.com'], to: 'maildir:x' },
      { domains: ['Example.com'], to: 'maildir:y' },
    ]
    expect(() => createRoutes(twice)).toThrow('two routes are for "example.com"')
  })
})
