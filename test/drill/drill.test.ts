// Drills in a private stack of real parts: what is broken turns green, and what is not broken, not healed or not as
// promised turns red. All alerts are drilled by `npm run drill`.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import type { Fault } from '../../local/drill/fault.ts'
import { proveFault, type Row } from '../../local/drill/prove.ts'
import { isGreen } from '../../local/drill/report.ts'
import { faultsFor } from '../../local/drill/run.ts'
import { type Stack, startStack } from '../../local/drill/stack.ts'
import { silentLog } from '../../src/platform/log.ts'
import { ENTRY } from '../pipeline/program.ts'

const { signal } = new AbortController()
const nothing = async () => {}
let dir: string
let stack: Stack

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'elemta-drills-'))
  chmodSync(dir, 0o755)
  stack = await startStack({ name: 'scanners', dir, rspamd: inject('rspamd'), log: silentLog })
})
afterAll(async () => {
  await stack?.stop()
  rmSync(dir, { recursive: true, force: true })
})

const scannerDown = (): Fault => faultsFor(['ScannerDown'])[0]!

async function drilled(changes: Partial<Fault>, patience = 60_000): Promise<Row> {
  const [row] = await proveFault({ ...scannerDown(), ...changes }, stack, { signal, patience })
  return row!
}

test('a fault is seen, told by mail and Slack, healed, and told to be over', async () => {
  const row = await drilled({})
  expect(row).toMatchObject({ alert: 'ScannerDown', to: ['mail', 'slack'], fired: true, routed: true, resolved: true })
  expect(row.problems).toEqual([])
  expect(row.detectSeconds).toBeGreaterThan(0)
  expect(isGreen(row)).toBe(true)
  const [mail] = stack.told().filter(({ way, state }) => way === 'mail' && state === 'firing')
  expect(mail).toMatchObject({ alert: 'ScannerDown', title: '[CRITICAL] ScannerDown: clamav does not answer' })
}, 90_000)

test('what is not broken turns red', async () => {
  const row = await drilled({ inject: nothing, heal: nothing }, 3_000)
  expect(row).toMatchObject({
    fired: false,
    routed: false,
    resolved: false,
    problems: [expect.stringMatching(/did not fire/)],
  })
  expect(isGreen(row)).toBe(false)
}, 30_000)

test('what is not healed turns red', async () => {
  const row = await drilled({ heal: nothing }, 12_000)
  expect(row).toMatchObject({
    fired: true,
    routed: true,
    resolved: false,
    problems: [expect.stringMatching(/its end was not told/)],
  })
  await stack.clamd.start()
}, 60_000)

test('a drill that is broken off says so, and leaves nothing behind', async () => {
  const place = mkdtempSync(join(tmpdir(), 'elemta-broken-off-'))
  chmodSync(place, 0o755)
  const env = { ...process.env, TMPDIR: place }
  const child = spawn(process.execPath, [ENTRY, 'drill', 'ElemtaDown'], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let [said, printed] = ['', '']
  let asked = false
  child.stdout.on('data', text => {
    printed += text
  })
  child.stderr.on('data', text => {
    said += text
    if (!asked && said.includes('the gateway is killed')) asked = child.kill('SIGINT') // a second one ends it at once
  })
  expect(await once(child, 'close')).toEqual([70, null])
  expect(said).toContain('the drill was broken off')
  expect(printed).toBe('')
  expect(readdirSync(place)).toEqual([])
  rmSync(place, { recursive: true })
}, 90_000)
