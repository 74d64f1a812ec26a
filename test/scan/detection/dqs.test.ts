// With a key for Spamhaus's Data Query Service its zones are asked, and the free ones are not. And the score from which
// rspamd itself rejects is ours.
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Finding } from '../../../src/mail/verdict.ts'
import { createMetrics } from '../../../src/platform/metrics.ts'
import { createRspamd } from '../../../src/scan/rspamd.ts'
import type { Scanner } from '../../../src/scan/scanner.ts'
import { accepted, mail, whole } from '../messages.ts'
import { type RealRspamd, realRspamd } from '../real-daemons.ts'

const ZONES = `  local-data: "66.113.0.203.abc.zen.dq.spamhaus.net. 60 IN A 127.0.0.2"
  local-data: "67.113.0.203.zen.spamhaus.org. 60 IN A 127.0.0.2"
  local-data: "casino-spam.com.abc.dbl.dq.spamhaus.net. 60 IN A 127.0.1.2"
  local-data: "new-today.com.abc.zrd.dq.spamhaus.net. 60 IN A 127.0.2.3"
  local-data: "new-this-week.com.abc.zrd.dq.spamhaus.net. 60 IN A 127.0.2.20"`

let daemon: RealRspamd
let rspamd: Scanner

beforeAll(async () => {
  daemon = await realRspamd({ zones: ZONES, dqsKey: 'abc', rejectScore: 7 })
  rspamd = createRspamd({ host: daemon.host, port: daemon.port, timeout: 15_000, metrics: createMetrics() })
}, 120_000)

afterAll(() => daemon?.stop())

async function scan(text: string, address: string): Promise<Extract<Finding, { kind: 'scored' }>> {
  const finding = await rspamd.scan(accepted({ client: { address } }), whole(mail(text)))
  if (finding.kind !== 'scored') throw new Error(JSON.stringify(finding))
  return finding
}

test('clients and domains are looked up in the zones of the key', async () => {
  const { symbols } = await scan(
    'http://casino-spam.com/ http://new-today.com/ http://new-this-week.com/',
    '203.0.113.66',
  )
  expect(symbols).toHaveProperty('RBL_SPAMHAUS_SBL')
  expect(symbols).toHaveProperty('DBL_SPAM')
  expect(symbols.ZRD_VERY_FRESH_DOMAIN).toBeGreaterThan(0)
  expect(symbols.ZRD_FRESH_DOMAIN).toBeGreaterThan(0)
})

test('the free zones are not asked', async () => {
  expect((await scan('hello', '203.0.113.67')).symbols).not.toHaveProperty('RBL_SPAMHAUS_SBL')
})

test('rspamd rejects from our reject_score on', async () => {
  const { action, score, requiredScore } = await scan('Win: http://casino-spam.com/', '203.0.113.66')
  expect(requiredScore).toBe(7)
  expect(score).toBeGreaterThan(7)
  expect(action).toBe('reject')
})
