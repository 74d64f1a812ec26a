import { describe, expect, test } from 'vitest'
import { dueReports, type Settled } from '../../src/deliver/dsn.ts'
import { composeReport, type ReportOptions } from '../../src/deliver/dsn-message.ts'
import { dsnCode, type Outcome } from '../../src/deliver/outcome.ts'
import type { Envelope, Recipient } from '../../src/mail/envelope.ts'
import type { MessageRecord, TraceEvent } from '../../src/mail/record.ts'
import type { Decision } from '../../src/mail/verdict.ts'
import { acceptedEvent, acceptedMessage } from '../contract/home.ts'
import { parseReport } from './parse-report.ts'

const ACCEPTED = Date.UTC(2026, 0, 5, 10, 0, 0)
const HOUR = 3_600_000

function settled(recipient: string, outcome: Partial<Outcome> = {}): Settled {
  const whole: Outcome = {
    recipient,
    kind: 'failed',
    nextHop: 'smtp://mail.example.net:25',
    reply: '550 5.1.1 No such user here',
    seconds: 0.1,
    ...outcome,
  }
  return { outcome: whole, state: whole.kind, status: dsnCode(whole), said: whole.reply }
}

type Wanted = Partial<Omit<Envelope, 'recipients'>> & {
  recipients?: Recipient[]
  verdicts?: Decision[]
  events?: TraceEvent[]
}

function recordOf({ verdicts = ['deliver'], events = [], ...envelope }: Wanted = {}): MessageRecord {
  const message = acceptedMessage({ acceptedAt: ACCEPTED })
  const decided = verdicts.map((decision): TraceEvent => ({ at: ACCEPTED, event: 'verdict', decision, why: '' }))
  return {
    message: { ...message, envelope: { ...message.envelope, ...envelope } },
    recipients: [],
    events: [acceptedEvent(ACCEPTED), ...decided, ...events],
  }
}

const decide = (wanted: Wanted, outcomes: readonly Settled[], age = 0) => {
  const { due, suppressed } = dueReports(recordOf(wanted), outcomes, { delayWarning: 4 * HOUR, at: ACCEPTED + age })
  return {
    due: due.map(({ action, recipients }) => [action, ...recipients.map(({ address }) => address)]),
    suppressed: suppressed.map(({ reason, recipients }) => [reason, recipients.length]),
  }
}

describe('of what a sender is told', () => {
  const bob = (parameters: Omit<Recipient, 'address'>) => ({
    recipients: [{ address: 'bob@example.com', ...parameters }],
  })
  const delivered = settled('bob@example.com', { kind: 'delivered', reply: '250 Ok' })
  const deferred = settled('bob@example.com', { kind: 'deferred', reply: '451 Later' })
  const nothing = { due: [], suppressed: [] }

  test('of every failure of one attempt in one report, of a success only on demand', () => {
    expect(decide({}, [settled('a@x.test'), delivered, settled('b@x.test')])).toEqual({
      due: [['failed', 'a@x.test', 'b@x.test']],
      suppressed: [],
    })
    const asked = bob({ notify: ['success'] })
    expect(decide(asked, [delivered])).toEqual({ due: [['relayed', 'bob@example.com']], suppressed: [] })
    const inMaildir = settled('bob@example.com', { kind: 'delivered', nextHop: 'maildir:x/new/1', reply: 'x/new/1' })
    expect(decide(asked, [inMaildir]).due).toEqual([['delivered', 'bob@example.com']])
  })

  test('of no success that the next hop will report', () => {
    expect(
      decide(bob({ notify: ['success'] }), [{ ...delivered, outcome: { ...delivered.outcome, dsn: true } }]),
    ).toEqual(nothing)
  })

  test('of no failure that it does not want to hear of', () => {
    const quiet = { due: [], suppressed: [['never', 1]] }
    expect(decide(bob({ notify: [] }), [settled('bob@example.com')])).toEqual(quiet)
    expect(decide(bob({ notify: ['success', 'delay'] }), [settled('bob@example.com')])).toEqual(quiet)
    expect(decide(bob({ notify: ['failure'] }), [settled('bob@example.com')]).due).toHaveLength(1)
  })

  test('of a delay once, and not before it is one', () => {
    expect(decide({}, [deferred], 4 * HOUR - 1)).toEqual(nothing)
    expect(decide({}, [deferred], 4 * HOUR).due).toEqual([['delayed', 'bob@example.com']])
    const warned = {
      at: 0,
      event: 'reported',
      action: 'delayed',
      recipients: ['bob@example.com'],
      queueId: 'x',
    } as const
    expect(decide({ events: [warned] }, [deferred, settled('c@x.test', { kind: 'deferred' })], 9 * HOUR).due).toEqual([
      ['delayed', 'c@x.test'],
    ])
    expect(decide(bob({ notify: ['failure'] }), [deferred], 9 * HOUR)).toEqual(nothing)
  })

  test('of nothing when it is the null sender', () => {
    expect(decide({ reversePath: '' }, [settled('bob@example.com')])).toEqual({
      due: [],
      suppressed: [['null-sender', 1]],
    })
    expect(decide({ reversePath: '' }, [deferred], 9 * HOUR)).toEqual(nothing)
  })

  test.each<[Decision[], boolean]>([
    [['deliver'], true],
    [['rescan', 'rescan', 'deliver'], true],
    [['hold', 'deliver'], true],
    [['tag'], false],
    [['quarantine', 'deliver'], false],
    [['deliver', 'tag'], false],
    [[], false],
  ])('of the verdicts %j it is told: %s', (verdicts, told) => {
    const { due, suppressed } = decide({ verdicts }, [settled('bob@example.com')])
    expect({ due: due.length, suppressed }).toEqual({ due: told ? 1 : 0, suppressed: told ? [] : [['not-clean', 1]] })
  })
})

describe('a report', () => {
  const header = Buffer.from('From: Alice <alice@sender.example>\r\nSubject: Invoice\r\n')
  function compose(recipients: readonly (Recipient & Settled)[], options: Partial<ReportOptions> = {}) {
    const { message } = recordOf()
    return composeReport({
      queueId: '0123456789ABCDEFGHJK',
      to: 'alice@sender.example',
      about: message,
      original: { octets: header, part: 'header' },
      action: 'failed',
      recipients,
      hostname: 'mx.example.com',
      acceptedAt: ACCEPTED,
      at: ACCEPTED + HOUR,
      retryUntil: ACCEPTED + 120 * HOUR,
      utf8: false,
      doubleBounce: false,
      ...options,
    })
  }
  const one = (
    address = 'bob@example.com',
    outcome: Partial<Outcome> = {},
    parameters: Omit<Recipient, 'address'> = {},
  ) => ({
    address,
    ...parameters,
    ...settled(address, outcome),
  })

  test('has the three parts of RFC 6522 and the fields of RFC 3464', () => {
    const orcpt = { originalRecipient: 'rfc822;Bob+Old@Example.org' }
    const parsed = parseReport(
      compose([one('bob@example.com', {}, orcpt), one('eve@example.com')], { envelopeId: 'QQ=1' }).content,
    )
    expect(parsed).toMatchObject({
      defects: [],
      reportType: 'delivery-status',
      header: {
        from: 'Mail Delivery System <MAILER-DAEMON@mx.example.com>',
        to: 'alice@sender.example',
        subject: 'Your mail could not be delivered',
        date: 'Mon, 05 Jan 2026 11:00:00 +0000',
        'auto-submitted': 'auto-replied',
        'message-id': '<0123456789ABCDEFGHJK@mx.example.com>',
        'mime-version': '1.0',
      },
      status: [
        {
          'reporting-mta': 'dns; mx.example.com',
          'original-envelope-id': 'QQ=1',
          'arrival-date': 'Mon, 05 Jan 2026 10:00:00 +0000',
        },
        {
          'original-recipient': 'rfc822; Bob+Old@Example.org',
          'final-recipient': 'rfc822; bob@example.com',
          action: 'failed',
          status: '5.1.1',
          'remote-mta': 'dns; mail.example.net',
          'diagnostic-code': 'smtp; 550 5.1.1 No such user here',
          'last-attempt-date': 'Mon, 05 Jan 2026 11:00:00 +0000',
        },
        { 'final-recipient': 'rfc822; eve@example.com' },
      ],
    })
    expect(parsed.parts.map(({ type }) => type)).toEqual([
      'text/plain',
      'message/delivery-status',
      'text/rfc822-headers',
    ])
    expect(parsed.parts[2]!.text).toBe(header.toString())
    const [human] = parsed.parts
    expect(human!.text).toContain('<bob@example.com>\r\n      mail.example.net said: 550 5.1.1 No such user here\r\n')
    expect(human!.text).not.toMatch(/[^\r]\n|.{79}/)
  })

  test('of a delay says until when it is tried', () => {
    const { status, parts } = parseReport(
      compose([one('bob@example.com', { kind: 'deferred', reply: '451 4.3.0 Later' })], { action: 'delayed' }).content,
    )
    expect(status[1]).toMatchObject({
      action: 'delayed',
      status: '4.3.0',
      'will-retry-until': 'Sat, 10 Jan 2026 10:00:00 +0000',
    })
    expect(parts[0]!.text).toContain('it is tried again until\r\nSat, 10 Jan 2026 10:00:00 +0000')
  })

  test('returns the message as it came, to the octet', () => {
    const octets = Buffer.from(
      `Subject: \xe9\r\nX-Long: ${'x'.repeat(500)}\r\n\r\n--report-0\r\n\xff\xfe body`,
      'latin1',
    )
    const { content, body } = compose([one()], { original: { octets, part: 'message' } })
    expect(body).toBe('8BITMIME')
    expect(
      content.includes(
        Buffer.concat([
          Buffer.from('Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n'),
          octets,
          Buffer.from('\r\n\r\n--report-0123'),
        ]),
      ),
    ).toBe(true)
    expect(parseReport(content)).toMatchObject({ defects: [], parts: [{}, {}, { type: 'message/rfc822' }] })
  })

  test('has no field that a next hop or a client could have put in', () => {
    const reply = `550 ${'No \u00e9 '.repeat(300)}\r\nX-Forged: yes\r\n\r\n--report-0123456789ABCDEFGHJK--\r\n${'y'.repeat(3000)}`
    const { content, body } = compose([
      one('"a\u0007b"@example.com', { reply }, { originalRecipient: 'rfc822;a\r\nAction: delivered' }),
    ])
    const parsed = parseReport(content)
    expect(parsed.defects).toEqual([])
    expect(parsed.status).toHaveLength(2)
    expect(parsed.status[1]).toMatchObject({ action: 'failed' })
    expect(content.toString('latin1')).not.toMatch(/^X-Forged/m)
    expect(body).toBe('7BIT')
    expect(content.toString('latin1')).toMatch(/^(?:[\x20-\x7e\t]{0,998}\r\n)*$/)
  })

  test('that is an international message is as safe', () => {
    const reply = '550 No\r\nX-Forged: yes\u2028\r\n\r\n--report-0123456789ABCDEFGHJK--\r\n'
    const originalRecipient = 'utf-8;a\r\nAction: delivered'
    const { content } = compose([one('ren\u00e9@example.com', { reply }, { originalRecipient })], { utf8: true })
    const lines = content.toString().split('\r\n')
    expect(lines.filter(line => /^(?:X-Forged|Action|--report-.*--$)/.test(line))).toEqual([
      'Action: failed',
      '--report-0123456789ABCDEFGHJK--',
    ])
    expect(content.toString().replaceAll('\r\n', '')).not.toMatch(/[\r\n\u2028]/)
  })

  test('names no path of our own, and no remote where there was none', () => {
    const nextHop = 'maildir:/srv/mail'
    const { content } = compose([
      one('bob@example.com', { nextHop, reply: "EACCES: permission denied, open '/srv/mail/tmp/1'" }),
    ])
    expect(content.includes('/srv')).toBe(false)
    expect(parseReport(content).status[1]).toEqual({
      'final-recipient': 'rfc822; bob@example.com',
      action: 'failed',
      status: '5.3.0',
      'diagnostic-code': 'x-elemta; the mailbox could not be written',
      'last-attempt-date': 'Mon, 05 Jan 2026 11:00:00 +0000',
    })
  })

  test('to an ASCII sender escapes what is not ASCII; to another one is an international message', () => {
    const recipients = [one('ren\u00e9@example.com', { reply: '550 5.1.1 Pas trouv\u00e9' })]
    const ascii = parseReport(compose(recipients).content)
    expect(ascii.status[1]).toMatchObject({
      'final-recipient': 'utf-8; ren\\x{E9}@example.com',
      'diagnostic-code': 'smtp; 550 5.1.1 Pas trouv?',
    })
    const { content, body } = compose(recipients, { utf8: true, to: 'zo\u00eb@sender.example' })
    expect(body).toBe('8BITMIME')
    const text = content.toString()
    expect(text).toContain('To: <zo\u00eb@sender.example>\r\n')
    expect(text).toContain('Content-Type: message/global-delivery-status\r\n')
    expect(text).toContain('Final-Recipient: utf-8; ren\u00e9@example.com\r\n')
    expect(text).toContain('Content-Type: message/global-headers\r\n')
  })
})
