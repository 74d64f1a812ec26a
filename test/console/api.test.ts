// The operator's interface over HTTP: who may use it, and what it says to those who may not.
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createApi } from '../../src/console/api.ts'
import { mintOperatorToken, publishOperatorAccess, readOperatorAccess } from '../../src/console/operator-token.ts'
import { startOpsServer } from '../../src/console/ops-server.ts'
import { createMetrics } from '../../src/platform/metrics.ts'

const TOKEN = mintOperatorToken()
const allowed = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' }

async function start() {
  const calls: unknown[][] = []
  const api = createApi({
    token: TOKEN,
    async run(...call) {
      calls.push(call)
      if (call[0] === 'fault') throw new Error('the disk is gone')
      return call[0] === 'queue/hold'
        ? { status: 200, body: { messages: 1 } }
        : { status: 404, body: { error: 'what?' } }
    },
  })
  const { registry } = createMetrics()
  const options = { address: '127.0.0.1', port: 0, registry, refresh: async () => {}, checks: async () => [] }
  const { port, close } = await startOpsServer({ ...options, api })
  onTestFinished(close)
  return {
    calls,
    async post(path: string, init: RequestInit) {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', body: '{}', ...init })
      return { status: response.status, body: await response.json(), headers: response.headers }
    },
  }
}

test('an operation gets its input and who asks, and answers with JSON', async () => {
  const { post, calls } = await start()
  const headers = { ...allowed, 'elemta-operator': encodeURIComponent('Jörg') }
  const answer = await post('/v1/queue/hold', { headers, body: '{"ids":["X"]}' })
  expect(answer).toMatchObject({ status: 200, body: { messages: 1 } })
  expect(answer.headers.get('content-type')).toBe('application/json')
  await post('/v1/queue/hold', { headers: allowed, body: '' })
  expect(calls).toEqual([
    ['queue/hold', { ids: ['X'] }, 'Jörg'],
    ['queue/hold', {}, 'api'],
  ])
  expect(await post('/v1/nothing', { headers: allowed })).toMatchObject({ status: 404, body: { error: 'what?' } })
})

test.each<[what: string, status: number, init: RequestInit]>([
  ['no token', 401, { headers: { 'content-type': 'application/json' } }],
  ['a wrong token', 401, { headers: { ...allowed, authorization: `Bearer ${mintOperatorToken()}` } }],
  ['the token of another scheme', 401, { headers: { ...allowed, authorization: `Basic ${TOKEN}` } }],
  ['no token, and nonsense', 401, { headers: { 'content-type': 'text/plain' }, body: 'x'.repeat(2_000_000) }],
  ['what a form on a web page sends', 415, { headers: { ...allowed, 'content-type': 'text/plain' } }],
  ['a PUT', 405, { headers: allowed, method: 'PUT' }],
  ['what is not JSON', 400, { headers: allowed, body: '{' }],
  ['too much', 413, { headers: allowed, body: JSON.stringify({ x: 'x'.repeat(1_100_000) }) }],
  ['a name that is none', 400, { headers: { ...allowed, 'elemta-operator': 'a%0Ab' } }],
])('%s: %i, and nothing is done', async (_, status, init) => {
  const { post, calls } = await start()
  const answer = await post('/v1/queue/hold', init)
  expect(answer).toMatchObject({ status, body: { error: expect.any(String) } })
  expect(calls).toEqual([])
})

test('a page of another origin is not let in, not even to ask', async () => {
  const { post } = await start()
  const preflight = { origin: 'https://evil.example', 'access-control-request-method': 'POST' }
  const { status, headers } = await post('/v1/queue/hold', { method: 'OPTIONS', body: null, headers: preflight })
  expect(status).toBe(401)
  expect([...headers.keys()].filter(name => name.startsWith('access-control'))).toEqual([])
})

test('a fault is a 500', async () => {
  const { post } = await start()
  const response = await post('/v1/fault', { headers: allowed }).catch(error => error)
  expect(response).toMatchObject({ status: 500, body: { error: expect.stringContaining('the disk is gone') } })
})

test('the token is for its owner, and goes when the gateway goes', () => {
  const folder = mkdtempSync(join(tmpdir(), 'elemta-token-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  expect(readOperatorAccess(folder)).toBeUndefined()
  writeFileSync(join(folder, 'operator-token'), 'of one that was killed', { mode: 0o644 })
  const unpublish = publishOperatorAccess(folder, { token: TOKEN, address: '::', port: 8080 })
  expect(readOperatorAccess(folder)).toEqual({ token: TOKEN, url: 'http://[::1]:8080' })
  expect(statSync(join(folder, 'operator-token')).mode & 0o777).toBe(0o600)
  expect(readdirSync(folder).toSorted()).toEqual(['operator-address', 'operator-token'])
  unpublish()
  expect(readdirSync(folder)).toEqual([])
})
