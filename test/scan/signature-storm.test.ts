// When a signature is no longer believed, and from when on it is again. Time is the tests' own.
import { expect, onTestFinished, test } from 'vitest'
import type { Finding } from '../../src/mail/verdict.ts'
import { silentLog } from '../../src/platform/log.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { refusalOf } from '../../src/scan/refusal.ts'
import { createSignatureStorm } from '../../src/scan/signature-storm.ts'
import { createSignatureWatch } from '../../src/scan/signature-watch.ts'
import { type ScanPolicy, verdict } from '../../src/scan/verdict.ts'

const MINUTE = 60_000
const START = 1_700_000_000_000

const found = (signature: string): Finding => ({ scanner: 'clamav', kind: 'virus', signature })
const policy = (action: 'discard' | 'reject'): ScanPolicy => ({
  clamav: { action, heuristics: 'quarantine', onError: 'defer' },
})

function hits(storm: ReturnType<typeof createSignatureStorm>, counts: Record<string, number>, at = START) {
  for (const [name, count] of Object.entries(counts)) for (let n = 0; n < count; n++) storm.hit(name, at)
}

test.each<[what: string, counts: Record<string, number>, storming: string[]]>([
  ['nothing', {}, []],
  ['a few hits of one signature', { Bad: 19 }, []],
  ['twenty hits of one signature', { Bad: 20 }, ['Bad']],
  ['a fifth of all hits', { Bad: 20, A: 19, B: 19, C: 19, D: 19, E: 4 }, []],
  ['more than a fifth of all hits', { Bad: 20, A: 19, B: 19, C: 19, D: 19, E: 3 }, ['Bad']],
  ['two at once', { Bad: 50, Worse: 50, A: 10 }, ['Bad', 'Worse']],
])('%s', (_, counts, storming) => {
  const storm = createSignatureStorm()
  hits(storm, counts)
  expect([...storm.storming(START)]).toEqual(storming)
})

test('a storm is over when its hits are ten minutes old, or when the others have come up', () => {
  const storm = createSignatureStorm()
  hits(storm, { Bad: 30 })
  expect(storm.storming(START + 9 * MINUTE).size).toBe(1)
  expect(storm.storming(START + 11 * MINUTE).size).toBe(0)
  hits(storm, { Bad: 30 }, START + 20 * MINUTE)
  hits(storm, { A: 15, B: 15, C: 15, D: 15, E: 15, F: 15, G: 15, H: 15 }, START + 25 * MINUTE)
  expect(storm.storming(START + 25 * MINUTE).size).toBe(0)
})

test('twenty hits over a day are no storm', () => {
  const storm = createSignatureStorm()
  for (let hour = 0; hour < 24; hour++) storm.hit('Bad', START + hour * 60 * MINUTE)
  expect(storm.storming(START + 23 * 60 * MINUTE).size).toBe(0)
})

test('from the twentieth on they are kept instead of dropped or refused; the log and a metric say so, until it ends', async () => {
  let now = START
  const lines: string[] = []
  const note = (about: unknown, event: string) => void lines.push(`${event} ${JSON.stringify(about)}`)
  const metrics = createMetrics()
  const store = { get: async () => undefined }
  const log = { ...silentLog, warn: note, info: note } as typeof silentLog
  const watch = createSignatureWatch({ store, now: () => now, log, metrics })
  onTestFinished(watch.stop)
  const gauge = async () => (await metrics.clamavSignatureStorm.get()).values[0]!.value

  const decisions: string[] = []
  for (let n = 0; n < 21; n++) {
    const exceptions = await watch.look([found('Bad')])
    const discarding = verdict([found('Bad')], policy('discard'), exceptions)
    const rejecting = verdict([found('Bad')], policy('reject'), exceptions)
    const refused = refusalOf([found('Bad')], rejecting, policy('reject'), exceptions) !== undefined
    decisions.push(`${discarding.decision}, ${refused ? 'refused' : rejecting.decision}`)
  }
  expect(decisions.slice(0, 19)).toEqual(Array(19).fill('discard, refused'))
  expect(decisions.slice(19)).toEqual(Array(2).fill('quarantine, quarantine'))
  expect(await gauge()).toBe(1)
  expect(lines).toEqual(['signature-storm {"signature":"Bad"}'])

  now += 11 * MINUTE
  const after = await watch.look([found('Bad')])
  expect(verdict([found('Bad')], policy('discard'), after).decision).toBe('discard')
  expect(await gauge()).toBe(0)
  expect(lines.at(-1)).toBe('signature-storm-over {"signature":"Bad"}')
})
