// Signatures that an operator lets pass: for the time he said, told in every place, and never because of a fault.
import { rm } from 'node:fs/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openPolicyStore } from '../../src/backends.ts'
import type { Finding } from '../../src/mail/verdict.ts'
import { silentLog } from '../../src/platform/log.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { refusalOf } from '../../src/scan/refusal.ts'
import { ignoredSignatures, ignoreSignature, unignoreSignature } from '../../src/scan/signature-ignore.ts'
import { createSignatureWatch } from '../../src/scan/signature-watch.ts'
import { type ScanPolicy, verdict } from '../../src/scan/verdict.ts'
import type { PolicyStore } from '../../src/storage/policy-store.ts'
import { temporaryDirectory } from '../storage/embedded-home.ts'

const HOUR = 3_600_000
const policy: ScanPolicy = {
  clamav: { action: 'reject', heuristics: 'quarantine', onError: 'defer' },
  rspamd: { rejectScore: 15, action: 'quarantine', addHeaders: true, onError: 'tag' },
}
const virus = (signature: string): Finding => ({ scanner: 'clamav', kind: 'virus', signature })
const scored = (score: number): Finding => {
  return { scanner: 'rspamd', kind: 'scored', score, requiredScore: 15, action: 'no action', symbols: {}, headers: [] }
}

let directory: string
let now: number
/** The gateway's and the command's: two that have the same file open. */
let [gateway, command]: PolicyStore[] = []
beforeEach(async () => {
  directory = await temporaryDirectory()
  now = 1_700_000_000_000
  gateway = await openPolicyStore({ dataDir: directory })
  command = await openPolicyStore({ dataDir: directory, onDamage: 'refuse' })
})
afterEach(async () => {
  await gateway!.close()
  await command!.close()
  await rm(directory, { recursive: true })
})

async function decide(findings: readonly Finding[], store: Pick<PolicyStore, 'get'> = gateway!) {
  const metrics = createMetrics()
  const watch = createSignatureWatch({ store, now: () => now, log: silentLog, metrics })
  const exceptions = await watch.look(findings)
  watch.stop()
  const decided = verdict(findings, policy, exceptions)
  const { value } = (await metrics.clamavIgnored.get()).values[0]!
  return { ...decided, refused: refusalOf(findings, decided, policy, exceptions) !== undefined, counted: value }
}

const ignore = (signature: string) => ignoreSignature(command!, signature, { by: 'carol', now, until: now + HOUR })

test('an ignored signature does not decide, and that is told', async () => {
  expect(await decide([virus('Bad.Sig'), scored(1)])).toMatchObject({ decision: 'quarantine', refused: true })
  await ignore('Bad.Sig')
  const { decision, why, headers, refused, counted } = await decide([virus('Bad.Sig'), scored(1)])
  expect({ decision, refused, counted }).toEqual({ decision: 'deliver', refused: false, counted: 1 })
  expect(why).toContain('Bad.Sig (ClamAV), ignored')
  expect(headers).toContainEqual({ name: 'X-Virus-Status', value: 'Ignored (Bad.Sig)' })
})

test('others decide as ever, and so does the spam score', async () => {
  await ignore('Bad.Sig')
  expect(await decide([virus('Bad.Sig.2'), scored(1)])).toMatchObject({ decision: 'quarantine', counted: 0 })
  expect(await decide([virus('bad.sig'), scored(1)])).toMatchObject({ decision: 'quarantine' })
  expect(await decide([virus('Bad.Sig'), scored(16)])).toMatchObject({ decision: 'quarantine' })
})

test('it ends by itself, or when the operator says so', async () => {
  await ignore('Bad.Sig')
  await ignore('Other.Sig')
  expect(await ignoredSignatures(command!, now)).toMatchObject([
    { signature: 'Bad.Sig', by: 'carol', until: now + HOUR },
    { signature: 'Other.Sig' },
  ])
  expect(await unignoreSignature(command!, 'Other.Sig')).toBe(true)
  expect(await unignoreSignature(command!, 'Other.Sig')).toBe(false)
  expect((await decide([virus('Other.Sig'), scored(1)])).decision).toBe('quarantine')
  now += HOUR
  expect((await decide([virus('Bad.Sig'), scored(1)])).decision).toBe('quarantine')
  expect(await ignoredSignatures(command!, now)).toEqual([])
})

test('when nobody knows what is ignored, nothing is', async () => {
  await ignore('Bad.Sig')
  const broken = { get: () => Promise.reject(new Error('disk gone')) }
  expect((await decide([virus('Bad.Sig'), scored(1)], broken)).decision).toBe('quarantine')
})
