// Guessing passwords, and what it does to those who do not guess. The store is the real one.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { afterFailure, createAttempts, userKey } from '../../src/auth/attempts.ts'
import type { AuthAnswer, Authenticator } from '../../src/auth/authenticator.ts'
import { answerDelay, createLogin, type LoginAnswer } from '../../src/auth/login.ts'
import { openPolicyStore } from '../../src/backends.ts'
import { replyText } from '../../src/mail/reply.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import type { PolicyStore } from '../../src/storage/policy-store.ts'
import { readableLog } from './log-lines.ts'

const MINUTE = 60_000
const limits = { per_address: 5, per_user: 3, wait: MINUTE, longest_wait: 60 * MINUTE }

let folder: string
let store: PolicyStore
let now = 1_800_000_000_000
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'elemta-attempts-'))
  store = await openPolicyStore({ dataDir: folder })
})
// Two months later all is forgotten.
beforeEach(() => {
  now += 60 * 24 * 60 * MINUTE
})
afterAll(async () => {
  await store.close()
  rmSync(folder, { recursive: true })
})

/** An ingress of its own; all share the store. */
function ingress({
  unavailable = false,
  exempt = (_: string): boolean => false,
  shared = store,
  rightAnswerAfter = Promise.resolve(),
} = {}) {
  const { log, lines } = readableLog()
  const metrics = createMetrics()
  const waits: number[] = []
  let asked = 0
  const authenticator: Authenticator = {
    async verify(user, password): Promise<AuthAnswer> {
      asked++
      if (unavailable) return { outcome: 'unavailable', why: 'the directory is down' }
      if (password === 's3cret') await rightAnswerAfter
      return password === 's3cret'
        ? { outcome: 'success', user, addresses: [`${user}@example.com`] }
        : { outcome: 'failure' }
    },
    async close() {},
  }
  const attempts = createAttempts({ store: shared, limits, log, now: () => now, exempt })
  const wait = async (milliseconds: number) => waits.push(milliseconds)
  const login = createLogin({ authenticator, attempts, metrics, log, now: () => now, wait })
  return {
    attempts,
    lines,
    waits,
    asked: () => asked,
    login: async (user: string, password: string, address = '192.0.2.1', failures = 0) =>
      show(await login({ user, password }, { address, mechanism: 'PLAIN', failures })),
    async count(metric: string) {
      const text = await metrics.registry.metrics()
      return Number(new RegExp(`^${metric.replace(/[{}]/g, '\\$&')} (\\d+)$`, 'm').exec(text)?.[1])
    },
  }
}

function show(answer: LoginAnswer): string {
  return answer.outcome === 'success' ? `${answer.user} ${answer.addresses}` : replyText(answer.reply)
}

const ALICE = 'alice alice@example.com'
const INVALID = '535 5.7.8 Authentication credentials invalid'
const LIMITED = '454 4.7.0 Too many failed logins, try again later'
const UNAVAILABLE = '454 4.7.0 Temporary authentication failure, try again later'

describe('a login', () => {
  test('is counted, and a failure is logged without its password', async () => {
    const { login, lines, count } = ingress()
    expect(await login('alice', 's3cret')).toBe(ALICE)
    expect(await login('alice', 'guess1')).toBe(INVALID)
    expect(lines).toEqual([
      { level: 30, event: 'auth-failed', client: '192.0.2.1', mechanism: 'PLAIN', user: 'alice', why: 'password' },
    ])
    expect(await count('elemta_auth_attempts_total')).toBe(2)
    expect(await count('elemta_auth_successes_total')).toBe(1)
    expect(await count('elemta_auth_failures_total{reason="password"}')).toBe(1)
  })

  test('of whom nobody can be asked about is put off and held against nobody', async () => {
    const { login, lines, count, waits } = ingress({ unavailable: true })
    for (let n = 0; n < 10; n++) expect(await login('alice', 's3cret')).toBe(UNAVAILABLE)
    expect(await ingress().login('alice', 's3cret')).toBe(ALICE)
    expect(lines[0]).toMatchObject({ event: 'auth-failed', why: 'the directory is down' })
    expect(await count('elemta_auth_failures_total{reason="unavailable"}')).toBe(10)
    expect(waits).toEqual([])
  })

  test('that fails is answered later each time', async () => {
    const { login, waits } = ingress()
    await login('alice', 's3cret')
    expect(waits).toEqual([])
    for (const failures of [0, 1, 2]) await login('alice', 'guess', '192.0.2.1', failures)
    expect(waits).toEqual([1000, 2000, 3000])
    expect(answerDelay(100)).toBe(5000)
  })
})

describe('too many failures for one user', () => {
  test('from anywhere: nobody is asked until the wait is over, then the right password gets in', async () => {
    const { login, asked, count } = ingress()
    for (const n of [1, 2, 3]) expect(await login('alice', 'guess', `192.0.2.${n}`)).toBe(INVALID)
    expect(await login('alice', 's3cret', '192.0.2.9')).toBe(LIMITED)
    expect(await login('ALICE', 's3cret', '192.0.2.9')).toBe(LIMITED)
    expect(asked()).toBe(3)
    expect(await count('elemta_auth_failures_total{reason="limited"}')).toBe(2)
    expect(await login('bob', 's3cret', '192.0.2.9')).toBe('bob bob@example.com')
    now += MINUTE
    expect(await login('alice', 's3cret', '192.0.2.9')).toBe(ALICE)
  })

  test('each further failure doubles the wait, a success forgets them', async () => {
    const { login } = ingress()
    for (const n of [1, 2, 3]) await login('alice', 'guess', `192.0.2.${n}`)
    now += MINUTE
    expect(await login('alice', 'guess', '192.0.2.4')).toBe(INVALID)
    now += 2 * MINUTE - 1
    expect(await login('alice', 's3cret')).toBe(LIMITED)
    now += 1
    expect(await login('alice', 's3cret')).toBe(ALICE)
    expect(await login('alice', 'guess', '192.0.2.5')).toBe(INVALID)
    expect(await login('alice', 's3cret')).toBe(ALICE)
  })

  test('several processes count together', async () => {
    const [one, other] = [ingress(), ingress()]
    await one.login('alice', 'guess', '192.0.2.1')
    await other.login('alice', 'guess', '192.0.2.2')
    await one.login('alice', 'guess', '192.0.2.3')
    expect(await other.login('alice', 's3cret', '192.0.2.4')).toBe(LIMITED)
  })

  test('a guess made together with the others does not slip through, though it is right', async () => {
    const { promise: guessed, resolve } = Promise.withResolvers<void>()
    const { login } = ingress({ rightAnswerAfter: guessed })
    const right = login('alice', 's3cret', '192.0.2.99')
    await Promise.all([1, 2, 3].map(n => login('alice', 'guess', `192.0.2.${n}`)))
    resolve()
    expect(await right).toBe(LIMITED)
  })

  test('are forgotten in the end', async () => {
    const { login } = ingress()
    for (const n of [1, 2]) await login('alice', 'guess', `192.0.2.${n}`)
    now += 61 * MINUTE
    for (const n of [1, 2]) expect(await login('alice', 'guess', `192.0.2.${n}`)).toBe(INVALID)
    expect(await login('alice', 's3cret')).toBe(ALICE)
  })
})

describe('a client where the user has logged in before', () => {
  test('is not kept waiting by guesses made elsewhere, nor does its login give those another start', async () => {
    const { login } = ingress()
    expect(await login('alice', 's3cret', '192.0.2.1')).toBe(ALICE)
    for (const n of [2, 3, 4]) await login('alice', 'guess', `192.0.2.${n}`)
    expect(await login('alice', 's3cret', '192.0.2.1')).toBe(ALICE)
    expect(await login('alice', 'guess', '192.0.2.5')).toBe(LIMITED)
    now += MINUTE
    expect(await login('alice', 'guess', '192.0.2.5')).toBe(INVALID)
    now += MINUTE
    expect(await login('alice', 'guess', '192.0.2.6')).toBe(LIMITED)
  })

  test('is held to its own failures, and only for that user', async () => {
    const { login } = ingress()
    expect(await login('alice', 's3cret')).toBe(ALICE)
    for (let n = 0; n < 5; n++) expect(await login('alice', 'guess')).toBe(INVALID)
    expect(await login('alice', 's3cret')).toBe(LIMITED)
    expect(await login('bob', 's3cret')).toBe(LIMITED)
  })

  test('is forgotten after a month without a login', async () => {
    const { login } = ingress()
    await login('alice', 's3cret')
    now += 31 * 24 * 60 * MINUTE
    for (const n of [2, 3, 4]) await login('alice', 'guess', `192.0.2.${n}`)
    expect(await login('alice', 's3cret')).toBe(LIMITED)
  })
})

describe('too many failures of one client', () => {
  test('with whatever names: it waits, others do not; a success of its own changes nothing', async () => {
    const { login } = ingress()
    for (let n = 0; n < 4; n++) await login(`user${n}`, 'guess')
    expect(await login('mallory', 's3cret')).toBe('mallory mallory@example.com')
    await login('user5', 'guess')
    expect(await login('mallory', 's3cret')).toBe(LIMITED)
    expect(await login('alice', 's3cret', '192.0.2.2')).toBe(ALICE)
  })

  test('an IPv6 client is its /64', async () => {
    const { login } = ingress()
    for (let n = 0; n < 5; n++) await login(`user${n}`, 'guess', `2001:db8:0:1::${n}`)
    expect(await login('alice', 's3cret', '2001:db8:0:1:ffff::1')).toBe(LIMITED)
    expect(await login('alice', 's3cret', '2001:db8:0:2::1')).toBe(ALICE)
  })

  test('webmail, when exempt, is not held to the guesses of its users', async () => {
    const { login } = ingress({ exempt: address => address === '192.0.2.1' })
    for (let n = 0; n < 9; n++) await login(`user${n}`, 'guess')
    expect(await login('alice', 's3cret')).toBe(ALICE)
    for (let n = 0; n < 3; n++) expect(await login('alice', 'guess')).toBe(INVALID)
    expect(await login('alice', 's3cret')).toBe(LIMITED)
  })
})

test('what is over does not pile up in the store', async () => {
  const { login } = ingress()
  for (let n = 0; n < 6; n++) await login(`user${n}`, 'guess', `192.0.2.${n}`)
  now += 61 * MINUTE
  const before = now - 1000 * MINUTE
  expect(await store.count('auth.user', before)).toBeGreaterThanOrEqual(6)
  for (let n = 10; n < 16; n++) await login(`user${n}`, 'guess', `192.0.2.${n}`)
  expect(await store.count('auth.user', before)).toBe(6)
  expect(await store.count('auth.address', before)).toBe(6)
})

test('a store that fails locks nobody out, and the log says so', async () => {
  const broken = await openPolicyStore({ dataDir: join(folder, 'other') })
  await broken.close()
  const { login, lines } = ingress({ shared: broken })
  for (let n = 0; n < 10; n++) expect(await login('alice', 'guess')).toBe(INVALID)
  expect(await login('alice', 's3cret')).toBe(ALICE)
  expect(lines).toContainEqual(expect.objectContaining({ event: 'auth-attempts-failed' }))
})

test('waits: none below the limit, then the first one, doubled, never beyond the longest', () => {
  const waits: number[] = []
  let failures = afterFailure(undefined, 3, limits, 0)
  for (let n = 0; n < 12; n++) {
    waits.push(failures.until / MINUTE)
    failures = afterFailure({ ...failures, until: 0 }, 3, limits, 0)
  }
  expect(waits).toEqual([0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60])
  expect(afterFailure({ failures: 5000, until: 0 }, 3, limits, 0).until).toBe(60 * MINUTE)
  expect(afterFailure({ failures: 3, until: 90 * MINUTE }, 3, limits, 0).until).toBe(90 * MINUTE)
})

test('spellings that a directory takes for the same name are counted as one', () => {
  for (const name of ['Alice', ' alice ', 'ａlice', 'al\u00adice', 'a\u200blice']) expect(userKey(name)).toBe('alice')
  expect(userKey('a  b')).toBe(userKey('A b'))
  expect(userKey('straße')).toBe(userKey('STRASSE'))
  expect(userKey('ältere')).toMatch(/^sha256:[0-9a-f]{64}$/)
  expect(userKey('x'.repeat(300))).toMatch(/^sha256:/)
  expect(userKey('a')).not.toBe(userKey('b'))
})
