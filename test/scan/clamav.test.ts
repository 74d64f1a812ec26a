// ClamAV asked for real: what clamd finds, what it cannot look at, and what it says when it is not well.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../../local/embedded/port.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { type Clamav, createClamav } from '../../src/scan/clamav.ts'
import { accepted, bigMail, EICAR, mail, mailWith, stored, whole, zip } from './messages.ts'
import { type RealClamd, realClamd } from './real-daemons.ts'

const STREAM_MAX = 2 * 1024 * 1024

const metrics = createMetrics()
let clamd: RealClamd
let clamav: Clamav

beforeAll(async () => {
  clamd = await realClamd(STREAM_MAX)
  clamav = createClamav({ host: clamd.host, port: clamd.port, timeout: 10_000, metrics })
})

afterAll(() => clamd?.stop())

const scan = (octets: Buffer) => clamav.scan(accepted(), whole(octets))

/** The signature's name depends on the database: ClamAV's own or the built-in one. */
const eicarFound = { scanner: 'clamav', kind: 'virus', signature: expect.stringMatching(/^(?!.*UNOFFICIAL).*eicar/i) }

describe('findings', () => {
  test('an ordinary message is clean', async () => {
    expect(await scan(mail('Shall we meet on Thursday?'))).toEqual({ scanner: 'clamav', kind: 'clean' })
  })

  test('an empty message is clean', async () => {
    expect(await scan(Buffer.alloc(0))).toEqual({ scanner: 'clamav', kind: 'clean' })
  })

  test('EICAR is found as it is, in an attachment, and in a zip in an attachment', async () => {
    const eicar = Buffer.from(EICAR)
    for (const octets of [eicar, mailWith(eicar, 'eicar.com'), mailWith(zip('eicar.com', eicar), 'invoice.zip')]) {
      expect(await scan(octets)).toEqual(eicarFound)
    }
  })

  test('an archive that nobody can look into is suspicious, not clean', async () => {
    const octets = mailWith(zip('secret.txt', Buffer.alloc(500, 'x'), { encrypted: true }), 'secret.zip')
    expect(await scan(octets)).toEqual({ scanner: 'clamav', kind: 'heuristic', signature: 'Heuristics.Encrypted.Zip' })
  })

  test('an archive that is nested too deep is suspicious, not clean', async () => {
    let archive: Buffer = Buffer.from('at the bottom')
    for (let depth = 0; depth < 20; depth++) archive = zip(`level-${depth}.zip`, archive)
    const signature = 'Heuristics.Limits.Exceeded.MaxRecursion'
    expect(await scan(mailWith(archive, 'nested.zip'))).toEqual({ scanner: 'clamav', kind: 'heuristic', signature })
  })

  test('a message that comes in pieces is scanned to its end', async () => {
    const text = 'a line of text\r\n'.repeat(60_000)
    const infected = mailWith(zip('eicar.com', Buffer.from(EICAR)), 'invoice.zip', text)
    const harmless = mailWith(zip('eicar.com', Buffer.from('no more')), 'invoice.zip', text)
    expect(await clamav.scan(accepted(), stored(infected))).toEqual(eicarFound)
    expect(await clamav.scan(accepted(), stored(harmless))).toEqual({ scanner: 'clamav', kind: 'clean' })
  })
})

describe('too large', () => {
  const tooLarge = { scanner: 'clamav', kind: 'could-not-scan', failure: 'too-large' }

  test.each([2 * 1024 * 1024 + 1, 3_000_000, 60_000_000])('%i octets are refused by clamd itself', async size => {
    const octets = Buffer.alloc(size, 'a line of text\r\n')
    for (const content of [whole(octets), stored(octets), stored(octets, 4096)]) {
      const detail = `${size} octets are more than StreamMaxLength of clamd at 127.0.0.1:${clamd.port}`
      expect(await clamav.scan(accepted(), content)).toEqual({ ...tooLarge, detail })
    }
  })

  test('exactly StreamMaxLength is scanned', async () => {
    expect(await scan(Buffer.alloc(STREAM_MAX, 'a line of text\r\n'))).toMatchObject({ kind: 'clean' })
  })

  test('what is known to be too large is not even sent', async () => {
    const nobody = createClamav({ host: '127.0.0.1', port: await freePort(), timeout: 1000, streamMax: 9, metrics })
    expect(await nobody.scan(accepted(), whole(Buffer.alloc(10)))).toMatchObject(tooLarge)
    expect(await nobody.scan(accepted(), whole(Buffer.alloc(9)))).toMatchObject({ failure: 'unreachable' })
  })
})

describe('clamd itself', () => {
  test('answers ping and tells its version', async () => {
    const detail = `clamd at 127.0.0.1:${clamd.port} answers "PONG"`
    expect(await clamav.ping()).toEqual({ ok: true, detail })
    expect(await clamav.version()).toMatchObject({ engine: expect.stringMatching(/^\d+\.\d+/) })
  })

  test('that is down is unreachable', async () => {
    const port = await freePort()
    const down = createClamav({ host: '127.0.0.1', port, timeout: 10_000, metrics })
    const detail = `clamd at 127.0.0.1:${port}: connection refused`
    const finding = { scanner: 'clamav', kind: 'could-not-scan', failure: 'unreachable', detail }
    expect(await down.scan(accepted(), whole(mail('hello')))).toEqual(finding)
    expect(await down.scan(accepted(), stored(bigMail(1_000_000)))).toEqual(finding)
    expect(await down.ping()).toEqual({ ok: false, detail })
    expect(await down.version()).toBeUndefined()
  })

  test('that has a name which nobody knows is unreachable', async () => {
    const nowhere = createClamav({ host: 'clamd.invalid', port: 3310, timeout: 10_000, metrics })
    expect(await nowhere.scan(accepted(), whole(mail('hello')))).toMatchObject({ failure: 'unreachable' })
  })

  test('that hangs is a timeout, for small and large messages', async () => {
    const hasty = createClamav({ host: clamd.host, port: clamd.port, timeout: 200, metrics })
    process.kill(clamd.pid, 'SIGSTOP')
    try {
      const contents = [whole(mail('hello')), whole(bigMail(1_000_000)), stored(bigMail(20_000_000))]
      for (const finding of await Promise.all(contents.map(content => hasty.scan(accepted(), content)))) {
        expect(finding).toMatchObject({ kind: 'could-not-scan', failure: 'timeout' })
      }
    } finally {
      process.kill(clamd.pid, 'SIGCONT')
    }
    expect(await scan(mail('Is it back?'))).toMatchObject({ kind: 'clean' })
  })

  test('gives up when it is told to', async () => {
    const signal = AbortSignal.abort()
    expect(await clamav.scan(accepted(), whole(mail('hello')), signal)).toMatchObject({ kind: 'could-not-scan' })
  })
})

test('scans, findings and failures are counted', async () => {
  const own = createMetrics()
  const counted = createClamav({ host: clamd.host, port: clamd.port, timeout: 10_000, metrics: own })
  await counted.scan(accepted(), whole(mail('hello')))
  await counted.scan(accepted(), whole(Buffer.from(EICAR)))
  await counted.scan(accepted(), whole(mailWith(zip('x', Buffer.alloc(99), { encrypted: true }), 'x.zip')))
  await counted.scan(accepted(), whole(Buffer.alloc(STREAM_MAX + 1)))
  const text = await own.registry.metrics()
  expect(text).toContain('elemta_clamav_scans_total 4\n')
  expect(text).toContain('elemta_clamav_virus_detected_total 1\n')
  expect(text).toContain('elemta_clamav_heuristics_total 1\n')
  expect(text).toContain('elemta_clamav_scan_errors_total{failure="too-large"} 1\n')
  expect(text).toContain('elemta_clamav_scan_errors_total{failure="timeout"} 0\n')
  expect(text).toContain('elemta_clamav_scan_duration_seconds_count 4\n')
})
