// The six methods of detection that are promised, each on the real rspamd with the policy of config/rspamd/local.d,
// in a DNS of its own: what is wrong is found, and what is right is not.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Finding } from '../../../src/mail/verdict.ts'
import { createMetrics } from '../../../src/platform/metrics.ts'
import { type Kind, learn } from '../../../src/scan/learn.ts'
import { createRspamd } from '../../../src/scan/rspamd.ts'
import type { Scanner } from '../../../src/scan/scanner.ts'
import { accepted, GTUBE, mail, mailWith, whole, zip } from '../messages.ts'
import { type RealRspamd, realRspamd } from '../real-daemons.ts'
import { createDkimKey } from './dkim.ts'

const HOSTNAME = 'mx.example.com'
const LEARNS = 4
const WORDS = ['apple', 'birchwood', 'cedar', 'dahlia and daffodil', 'elderberry', 'fig']
const key = createDkimKey('good.test', 's1')
const ZONES = `  local-zone: "good.test." static
  local-data: 'good.test. 60 IN TXT "v=spf1 ip4:203.0.113.10 -all"'
  local-data: "good.test. 60 IN MX 10 mx.good.test."
  local-data: "mx.good.test. 60 IN A 203.0.113.10"
  local-data: '_dmarc.good.test. 60 IN TXT "v=DMARC1; p=reject"'
${key.zone}
  local-data: "66.113.0.203.zen.spamhaus.org. 60 IN A 127.0.0.2"
  local-data: "67.113.0.203.zen.spamhaus.org. 60 IN A 127.255.255.254"
  local-data: "casino-spam.com.multi.uribl.com. 60 IN A 127.0.0.2"
  local-data: "casino-spam.com.dbl.spamhaus.org. 60 IN A 127.0.1.2"`

type Scored = Extract<Finding, { kind: 'scored' }>

let daemon: RealRspamd
let rspamd: Scanner

beforeAll(async () => {
  const configuration = { 'override.d/classifier-bayes.conf': `min_learns = ${LEARNS};\n` }
  daemon = await realRspamd({ zones: ZONES, configuration })
  const { host, port } = daemon
  rspamd = createRspamd({ host, port, hostname: HOSTNAME, timeout: 15_000, metrics: createMetrics() })
}, 120_000)

afterAll(() => daemon?.stop())

async function scan(octets: Buffer, from: { address?: string; reversePath?: string; user?: string } = {}) {
  const { address = '203.0.113.10', reversePath = 'a@good.test', user } = from
  const message = accepted({ client: { address, ...(user && { user }) }, envelope: { reversePath } })
  const finding = await rspamd.scan(message, whole(octets))
  if (finding.kind !== 'scored') throw new Error(JSON.stringify(finding))
  return finding
}

function authenticationResults({ headers }: Scored): string {
  const fields = headers.filter(({ name }) => name === 'Authentication-Results')
  expect(fields).toHaveLength(1)
  return fields[0]!.value
}

const teach = (kind: Kind, octets: Buffer) => learn({ host: daemon.host, port: daemon.controllerPort }, kind, octets)

describe('content analysis', () => {
  test('an ordinary message has nothing against it', async () => {
    const { action, score } = await scan(key.sign(mail('Shall we meet on Thursday at ten?')))
    expect(action).toBe('no action')
    expect(score).toBeLessThan(2)
  })

  test('a known pattern in the text is found', async () => {
    expect(await scan(mail(GTUBE))).toMatchObject({ action: 'reject', symbols: { GTUBE: 0 } })
  })

  test('an attachment that pretends to be something else is found', async () => {
    const { symbols } = await scan(mailWith(zip('invoice.exe', Buffer.from('MZ')), 'invoice.pdf.exe'))
    expect(Object.keys(symbols).filter(name => /^MIME_(BAD|DOUBLE)/.test(name))).not.toEqual([])
    expect(symbols.MIME_BAD_EXTENSION ?? symbols.MIME_DOUBLE_BAD_EXTENSION).toBeGreaterThan(0)
  })

  test('a link that shows another address than it leads to is found', async () => {
    const html = '<p>Your account: <a href="http://thieves.example/x">https://www.mybank.com/login</a></p>'
    const octets = Buffer.from(mail(html).toString().replace('text/plain', 'text/html'))
    expect((await scan(octets)).symbols).toHaveProperty('PHISHING')
  })
})

describe('SPF, DKIM and DMARC', () => {
  test('all three pass, and the recipient is told so in our name', async () => {
    const finding = await scan(key.sign(mail('hello')))
    const passed = { R_SPF_ALLOW: expect.any(Number), R_DKIM_ALLOW: expect.any(Number) }
    expect(finding.symbols).toMatchObject({ ...passed, DMARC_POLICY_ALLOW: expect.any(Number) })
    const results = authenticationResults(finding)
    expect(results).toMatch(/^mx\.example\.com;\s/)
    expect(results).toMatch(/spf=pass .*smtp\.mailfrom=a@good\.test/s)
    expect(results).toMatch(/dkim=pass .*header\.d=good\.test header\.s=s1/s)
    expect(results).toMatch(/dmarc=pass .*header\.from=good\.test/s)
  })

  test('all three fail: another client, and a text that was changed after it was signed', async () => {
    const changed = Buffer.from(key.sign(mail('pay to account 1')).toString().replace('account 1', 'account 2'))
    const finding = await scan(changed, { address: '198.51.100.7' })
    expect(finding.symbols).toMatchObject({ R_SPF_FAIL: expect.any(Number), R_DKIM_REJECT: expect.any(Number) })
    expect(finding.symbols.DMARC_POLICY_REJECT).toBeGreaterThan(0)
    expect(authenticationResults(finding)).toMatch(/(?=.*spf=fail)(?=.*dkim=fail)(?=.*dmarc=fail)/s)
  })

  test('a signature speaks for mail that was forwarded', async () => {
    const { symbols } = await scan(key.sign(mail('hello')), { address: '198.51.100.7' })
    expect(Object.keys(symbols)).toEqual(expect.arrayContaining(['R_SPF_FAIL', 'R_DKIM_ALLOW', 'DMARC_POLICY_ALLOW']))
  })

  test('a domain that says nothing about itself passes none of them, and fails none', async () => {
    const octets = Buffer.from(mail('hello').toString().replaceAll('good.test', 'silent.test'))
    const finding = await scan(octets, { reversePath: 'a@silent.test' })
    expect(authenticationResults(finding)).toMatch(/(?=.*spf=none)(?=.*dkim=none)(?=.*dmarc=none)/s)
  })

  test('for an authenticated user there is a field as well', async () => {
    expect(authenticationResults(await scan(mail('hello'), { user: 'anna' }))).toMatch(
      /^mx\.example\.com;\s.*auth=pass/s,
    )
  })
})

test('URL lists: a link to a listed domain is found', async () => {
  const listed = await scan(mail('Win now: http://www.casino-spam.com/win'))
  expect(listed.symbols.URIBL_BLACK).toBeGreaterThan(0)
  expect(listed.symbols.DBL_SPAM).toBeGreaterThan(0)
  const unlisted = await scan(mail('See http://www.good.test/'))
  expect(Object.keys(unlisted.symbols).filter(name => /^(URIBL|DBL)_/.test(name))).toEqual([])
})

test('RBL: a listed client is found; a list that refuses to answer lists nobody', async () => {
  expect((await scan(mail('hello'), { address: '203.0.113.66' })).symbols.RBL_SPAMHAUS_SBL).toBeGreaterThan(0)
  expect((await scan(mail('hello'))).symbols).not.toHaveProperty('RBL_SPAMHAUS_SBL')
  const refused = await scan(mail('hello'), { address: '203.0.113.67' })
  expect(refused.symbols).toHaveProperty('RBL_SPAMHAUS_BLOCKED_OPENRESOLVER', 0)
})

test('Bayes: silent until it knows enough of both kinds, then it tells them apart', async () => {
  // rspamd takes texts that differ in little for the same.
  const ham = (n: number) =>
    mail(
      `Minutes of the ${WORDS.slice(n).join(' ')} meeting: budget, roadmap, hiring, release of the parser, coffee machine`,
    )
  const spam = (n: number) =>
    mail(`Offer ${WORDS.slice(n).join(' ')}: cheap pills, lottery winner, replica watches, casino bonus, act right now`)
  expect(Object.keys((await scan(spam(0))).symbols).filter(name => name.startsWith('BAYES'))).toEqual([])
  for (let n = 1; n <= LEARNS; n++) {
    expect(await teach('ham', ham(n))).toMatchObject({ bayes: 'learned', detail: '' })
    expect(await teach('spam', spam(n))).toMatchObject({ bayes: 'learned', detail: '' })
  }
  expect((await scan(spam(5))).symbols.BAYES_SPAM).toBeGreaterThan(2)
  expect((await scan(ham(5))).symbols.BAYES_HAM).toBeLessThan(-1)
  expect((await teach('spam', spam(1))).bayes).toBe('known')
  expect((await teach('spam', spam(5))).bayes).toBe('skipped')
})

test('fuzzy hashes: what was learned is found again in nearly the same mail, until it is learned as ham', async () => {
  const advert = (name: string) =>
    mail(`Dear ${name}, ${Array.from({ length: 120 }, (_, n) => `bargain${n * 7919} today${n * 31}`).join(' ')}`)
  expect((await scan(advert('Anna'))).symbols).not.toHaveProperty('LOCAL_FUZZY_DENIED')
  expect(await teach('spam', advert('Anna'))).toMatchObject({ fuzzy: true })
  const found = async () => (await scan(advert('Bert'))).symbols.LOCAL_FUZZY_DENIED ?? 0
  await expect.poll(found, { timeout: 10_000 }).toBeGreaterThan(1)
  expect(await teach('ham', advert('Anna'))).toMatchObject({ fuzzy: true })
  await expect.poll(found, { timeout: 10_000 }).toBe(0)
})
