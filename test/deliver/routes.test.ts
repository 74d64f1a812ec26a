import { describe, expect, test } from 'vitest'
import type { NextHop } from '../../src/deliver/next-hop.ts'
import { createRoutes, groupByRoute, nextHopName, parseTarget, type Target } from '../../src/deliver/routes.ts'

const server = (nextHop: NextHop): Target => ({
  kind: 'next-hops',
  nextHops: [{ nextHop, priority: 0, weight: 1 }],
})

describe('a target', () => {
  test.each([
    ['maildir:./data/maildir', { kind: 'maildir', path: './data/maildir' }],
    ['maildir:/var/mail/all', { kind: 'maildir', path: '/var/mail/all' }],
    ['mx:', { kind: 'mx', settings: {} }],
    ['smtp://mail.example.com', server({ protocol: 'smtp', host: 'mail.example.com', port: 25 })],
    ['smtps://mail.example.com', server({ protocol: 'smtps', host: 'mail.example.com', port: 465 })],
    ['smtp://127.0.0.1:2526/', server({ protocol: 'smtp', host: '127.0.0.1', port: 2526 })],
    ['lmtp://[::1]', server({ protocol: 'lmtp', host: '::1', port: 24 })],
    ['LMTP://localhost:24', server({ protocol: 'lmtp', host: 'localhost', port: 24 })],
  ])('%s is understood', (to, expected) => {
    expect(parseTarget(to)).toEqual(expected)
  })

  test.each([
    ['maildir:', 'has no path'],
    ['mail.example.com', 'is no way to deliver'],
    ['http://mail.example.com', 'is no way to deliver'],
    ['mx:example.com', 'is no way to deliver'],
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
    const byMx = { protocol: 'smtp', host: '192.0.2.1', port: 25, certificateName: 'mx.example.com' } as const
    expect(nextHopName(byMx)).toBe('smtp://mx.example.com:25')
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

  test('says how its servers want to be met', () => {
    const auth = { user: 'us', password: 'secret' }
    const routes = createRoutes([
      { domains: ['*'], to: 'smtp://a.example:25', tls: 'verify', auth, connections: 3, messages_per_connection: 7 },
    ])
    const nextHop = { protocol: 'smtp', host: 'a.example', port: 25, tls: 'verify', auth } as const
    expect(routes('x@y.example')).toEqual(server({ ...nextHop, connections: 3, messagesPerConnection: 7 }))
  })

  test('may be several servers, and nothing else than servers then', () => {
    const to = [{ to: 'smtp://a.example:25' }, { to: 'lmtp://b.example:24', priority: 20, weight: 3 }]
    expect(createRoutes([{ domains: ['*'], to }])('x@y.example')).toEqual({
      kind: 'next-hops',
      nextHops: [
        { nextHop: { protocol: 'smtp', host: 'a.example', port: 25 }, priority: 10, weight: 1 },
        { nextHop: { protocol: 'lmtp', host: 'b.example', port: 24 }, priority: 20, weight: 3 },
      ],
    })
    for (const alone of ['mx:', 'maildir:x']) {
      expect(() => createRoutes([{ domains: ['*'], to: [...to, { to: alone }] }])).toThrow('stands alone')
    }
    expect(() => createRoutes([{ domains: ['x.example'], to: [] }])).toThrow('leads nowhere')
  })

  test('cannot be two', () => {
    const twice = [
      { domains: ['example.com'], to: 'maildir:x' },
      { domains: ['Example.com'], to: 'maildir:y' },
    ]
    expect(() => createRoutes(twice)).toThrow('two routes are for "example.com"')
  })
})
