// Costs, worked out by hand beside what the estimate says; and the command that tells them.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { alternatives, breakEven } from '../../lib/cost/alternatives.ts'
import { estimate, total } from '../../lib/cost/estimate.ts'
import type { Footprint } from '../../lib/cost/load.ts'
import { ANY, reportOf } from '../../lib/cost/report.ts'
import { PRICES } from '../../src/platform/prices.ts'

const MILLION = { messages: 1_000_000, octets: 75_000 }
const NONE = { cpu: 1024, memory: 1024, count: 0 }
/** Nothing of ours runs. */
const EMPTY: Footprint = {
  ingress: NONE,
  scan: { cpu: 2048, memory: 8192, count: 0 },
  zones: 0,
  natGateways: 0,
  endpoints: 0,
  valkey: false,
  nextHop: 'vpc',
}

const usdOf = (load: typeof MILLION, footprint: Footprint) =>
  Object.fromEntries(estimate(load, footprint, PRICES).map(({ component, usd }) => [component, usd]))

describe('what follows the mail', () => {
  test('for a million messages of 75 KB, line by line', () => {
    const lines = usdOf(MILLION, { ...EMPTY, scan: { cpu: 2048, memory: 8192, count: 1 } })
    expect(lines).toMatchObject({
      'Mail through the load balancer': expect.closeTo(75 * 0.006, 6), // 1M × 75 KB = 75 GB
      'Contents written': 5, // one PUT each
      'Contents read': expect.closeTo(0.8, 6), // two GETs
      'Contents kept': expect.closeTo((75 / 30) * 0.023, 6), // a day of thirty
      'Wake-ups': expect.closeTo(2.4, 6), // two, each sent, received and removed
      'Records written': expect.closeTo(4.375, 6), // 7 units at $0.625 a million
      'Records read': expect.closeTo(0.375, 6),
      Log: expect.closeTo(0.75, 6), // 1.5 GB
    })
    // 83.3 vCPU-hours of scanning: the one task that stands there (2 × 730 h, half of it usable) is not busy with that.
    expect(lines).not.toHaveProperty('More scanners, vCPU')
    expect(lines).not.toHaveProperty('Mail to the internet')
  })

  test('where scanners deliver there is one GET, one wake-up and a lease less', () => {
    const lines = usdOf(MILLION, { ...EMPTY, deliveredByScanner: true })
    expect(lines).toMatchObject({
      'Contents read': expect.closeTo(0.4, 6),
      'Wake-ups': expect.closeTo(1.2, 6),
      'Records written': expect.closeTo(3.75, 6), // 6 units
    })
  })

  test('greylisting writes down every stranger', () => {
    expect(usdOf(MILLION, EMPTY)).not.toHaveProperty('Greylisting, written')
    expect(usdOf(MILLION, { ...EMPTY, greylists: true })).toMatchObject({
      'Greylisting, written': expect.closeTo(1.25, 6),
      'Greylisting, read': expect.closeTo(0.125, 6),
    })
  })

  test('a stage with the default settings takes at most $12 for a million messages, traffic to the internet aside', () => {
    const { lines } = reportOf({ load: MILLION, region: 'us-east-1', prices: PRICES, nextHop: 'vpc' })
    expect(total(lines, 'variable')).toBeLessThanOrEqual(12)
  })

  test('scanning is paid for where the standing tasks no longer suffice', () => {
    const load = { messages: 12_000_000, octets: 75_000 }
    const lines = usdOf(load, { ...EMPTY, scan: { cpu: 2048, memory: 8192, count: 1 } })
    // 12M × 0.3 s = 1,000 vCPU-hours; 730 are there; 270 more at half load are 540 vCPU-hours with 4 GB each.
    expect(lines['More scanners, vCPU']).toBeCloseTo(540 * 0.032384, 6)
    expect(lines['More scanners, memory']).toBeCloseTo(2160 * 0.003556, 6)
  })

  test('mail that leaves for the internet is paid for twice, through NAT and out', () => {
    const lines = usdOf(MILLION, { ...EMPTY, natGateways: 1, nextHop: 'internet' })
    expect(lines['Mail through NAT']).toBeCloseTo(3.375, 6)
    expect(lines['Mail to the internet']).toBeCloseTo(6.75, 6)
  })

  test('twice the mail costs twice as much, none costs nothing', () => {
    const variable = (messages: number) => total(estimate({ messages, octets: 75_000 }, EMPTY, PRICES), 'variable')
    const fixed = (messages: number) => total(estimate({ messages, octets: 75_000 }, EMPTY, PRICES), 'fixed')
    expect(variable(2_000_000)).toBeCloseTo(2 * variable(1_000_000), 6)
    expect(variable(0)).toBe(0)
    expect(fixed(0)).toBe(fixed(5_000_000))
  })
})

test('what stands there: a stage of two SMTP servers, a scanner, delivery, one NAT gateway', () => {
  const input = { ...ANY, delivery: { runsOn: 'fargate' } }
  const { lines } = reportOf({ load: MILLION, region: 'us-east-1', prices: PRICES, nextHop: 'vpc', input })
  const fixed = Object.fromEntries(lines.filter(({ kind }) => kind === 'fixed').map(line => [line.component, line.usd]))
  expect(fixed).toMatchObject({
    'Load balancer': expect.closeTo(16.425, 3), // 0.0225 × 730
    'Public addresses': expect.closeTo(10.95, 3), // two zones and the NAT gateway, 3.65 each
    'NAT gateways': expect.closeTo(32.85, 3),
    'SMTP servers, vCPU': expect.closeTo(23.64, 2), // 2 × 0.5 × 0.032384 × 730
    'SMTP servers, memory': expect.closeTo(5.19, 2), // 2 × 1 × 0.003556 × 730
    'Scanners, vCPU': expect.closeTo(47.28, 2), // 2 × 0.032384 × 730
    'Scanners, memory': expect.closeTo(20.77, 2), // 8 × 0.003556 × 730
    'Delivery, vCPU': expect.closeTo(5.91, 2),
    Valkey: 6.13,
    Metrics: expect.closeTo(15.77, 2), // 4 tasks × 1,000 series × 43,800 minutes = 175.2M samples
  })
})

describe('what else there is', () => {
  const others = (load: typeof MILLION) =>
    Object.fromEntries(alternatives(load, PRICES).map(({ name, usd }) => [name, usd]))

  test('for a million messages of 75 KB', () => {
    expect(others(MILLION)).toEqual({
      // 100 for receiving, 5 and 0.40 for S3, 0.20 and 2.00 for Lambda; no chunk of 256 KB is complete.
      'SES inbound + Lambda, unscanned': expect.closeTo(107.6, 2),
      // and 215 for objects, 6.75 for 75 GB.
      'SES inbound + GuardDuty (viruses)': expect.closeTo(329.35, 2),
      // 50 + 150 + 187.50 + 125
      'SES Mail Manager (viruses, DNSBL)': expect.closeTo(512.5, 6),
      'SES Mail Manager (viruses, DNSBL, spam)': expect.closeTo(927.5, 6),
    })
  })

  test('for fifty thousand, and for large ones', () => {
    expect(others({ messages: 50_000, octets: 75_000 })['SES Mail Manager (viruses, DNSBL, spam)']).toBeCloseTo(
      93.875,
      6,
    )
    // 1 MB has three complete chunks: 270 more.
    const large = others({ messages: 1_000_000, octets: 1_000_000 })
    expect(large['SES inbound + Lambda, unscanned']).toBeCloseTo(107.6 + 270, 2)
  })

  test.each([
    ['at once', (n: number) => n, (n: number) => n + 1, 1],
    ['from where they meet', (n: number) => 190 + n * 0.00003, (n: number) => n * 0.0001, 2_714_286],
    ['never', (n: number) => 100 + n * 0.0002, (n: number) => n * 0.0001, undefined],
  ])('costs more than ours %s', (_, ours, theirs, from) => {
    expect(breakEven(ours, theirs)).toBe(from)
  })
})

describe('elemta cost', () => {
  const dir = mkdtempSync(join(tmpdir(), 'elemta-cost-'))
  afterAll(() => rmSync(dir, { recursive: true }))
  const run = (...args: string[]) =>
    execFileSync(process.execPath, ['bin/elemta.ts', 'cost', ...args], { encoding: 'utf8', stdio: 'pipe' })
  const failure = (...args: string[]) => {
    try {
      run(...args)
    } catch (error) {
      const { status, stderr } = error as { status: number; stderr: string }
      return { status, stderr }
    }
    throw new Error('it did not fail')
  }

  test('prints the table with its date, the sums and where the others meet', () => {
    const text = run('--messages', '1M', '--size', '75KB')
    expect(text).toMatch(/^1,000,000 messages of 75,000 octets a month, us-east-1, list prices of 2026-\d\d-\d\d to/)
    expect(text).toMatch(/Contents written +\$5 \/ 1M requests +1,000,000 +5\.00/)
    expect(text).toMatch(/Fixed +178\.42\n/)
    expect(text).toMatch(/SES Mail Manager \(viruses, DNSBL, spam\) +[\d,]+ messages +927\.50/)
    expect(text).toContain('Not read in AWS’s own list: sqsRequest, secret, alarm, logs')
  })

  test('as numbers, with the settings of a stage and prices of one’s own', () => {
    const file = join(dir, 'prices.yaml')
    writeFileSync(file, 's3Put: 10\n')
    const report = JSON.parse(
      run('--messages', '2M', '--region', 'eu-central-1', '--prices', file, '--stage', 'dev', '--json'),
    )
    expect(report.lines.find(({ price }: { price: string }) => price === 's3Put')).toMatchObject({
      usd: 20,
      units: 2e6,
    })
    // Functions deliver there, and one SMTP server stands.
    expect(report.lines.some(({ component }: { component: string }) => component.startsWith('Delivery'))).toBe(false)
    expect(report).toMatchObject({ region: 'eu-central-1', load: { messages: 2e6, octets: 75_000 } })
  })

  test.each([
    [['--region', 'eu-central-1'], 64, 'name those of eu-central-1 by --prices FILE'],
    [['--messages', 'many'], 64, '--messages: expected a number such as 50k or 1M, not "many"'],
    [['--stage', 'none'], 64, 'there is no deployments/none.ts'],
    [['--next-hop', 'mars'], 64, 'expected internet or vpc'],
  ])('%j is refused with a sentence', (args, status, sentence) => {
    expect(failure(...args)).toEqual({ status, stderr: expect.stringContaining(sentence) })
  })

  test('a price file with mistakes is refused, each with its name', () => {
    const file = join(dir, 'wrong.yaml')
    writeFileSync(file, 's3Putt: 10\nalarm: much\n')
    const { status, stderr } = failure('--prices', file)
    expect(status).toBe(78)
    expect(stderr).toMatch(/s3Putt.*s3Put/)
    expect(stderr).toContain('expected dollars, not "much"')
  })
})
