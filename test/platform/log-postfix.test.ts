// The lines that follow from each event, and that nothing a client says can forge one.
import { globSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { postfixLines } from '../../src/platform/log-postfix.ts'

const QUEUE_ID = '1M80HT5YFS3VRDMGAYVQ'
const TIME = new Date(2026, 10, 2, 4, 31, 7).toISOString()
const CLIENT = { client: '192.0.2.9', helo: 'mail.example.org', esmtp: true }
const ENVELOPE = { queueId: QUEUE_ID, ...CLIENT, reversePath: 'alice@example.org' }

const raw = (entry: Record<string, unknown>) =>
  postfixLines({ level: 30, time: TIME, ...entry }, { hostname: 'mx.example.com', pid: 77 })

/** The lines without their time and host. */
const lines = (entry: Record<string, unknown>) =>
  raw(entry)
    .split('\n')
    .slice(0, -1)
    .map(line => line.replace('Nov  2 04:31:07 mx.example.com postfix/', ''))

test('a line begins as syslog writes it: local time, host, program and pid', () => {
  expect(raw({ event: 'removed', queueId: QUEUE_ID })).toBe(
    `Nov  2 04:31:07 mx.example.com postfix/qmgr[77]: ${QUEUE_ID}: removed\n`,
  )
})

test('an accepted message: client, Message-ID, sender and size', () => {
  const entry = { ...ENVELOPE, event: 'accepted', recipients: 2, size: 1234, messageId: '<1@example.org>' }
  expect(lines({ ...entry, user: 'alice', mechanism: 'PLAIN' })).toEqual([
    `smtpd[77]: ${QUEUE_ID}: client=unknown[192.0.2.9], sasl_method=PLAIN, sasl_username=alice`,
    `cleanup[77]: ${QUEUE_ID}: message-id=<1@example.org>`,
    `qmgr[77]: ${QUEUE_ID}: from=<alice@example.org>, size=1234, nrcpt=2 (queue active)`,
  ])
})

test('a report: whose it is, and the message that it is', () => {
  const entry = { event: 'reported', queueId: QUEUE_ID, action: 'failed', report: 'R1', to: 'a@b.test', recipients: 1 }
  expect(lines({ ...entry, messageId: '<R1@mx.example.com>', size: 2000 })).toEqual([
    'cleanup[77]: R1: message-id=<R1@mx.example.com>',
    `bounce[77]: ${QUEUE_ID}: sender non-delivery notification: R1`,
    'qmgr[77]: R1: from=<>, size=2000, nrcpt=1 (queue active)',
  ])
})

const outcome = { queueId: QUEUE_ID, recipient: 'bob@example.com', seconds: 0.2, delay: 1.5 }
const nextHop = { nextHop: 'smtp://hop.example.com:2500', remoteAddress: '198.51.100.1' }

test.each([
  [
    'delivered by SMTP',
    { event: 'delivered', ...nextHop, reply: '250 2.0.0 Ok', dsn: '2.0.0' },
    'smtp[77]: ID: to=<bob@example.com>, relay=hop.example.com[198.51.100.1]:2500, delay=1.5, delays=1.3/0/0/0.2, dsn=2.0.0, status=sent (250 2.0.0 Ok)',
  ],
  [
    'refused by the next hop',
    { event: 'failed', ...nextHop, reply: '550 5.1.1 No such user', dsn: '5.1.1' },
    'smtp[77]: ID: to=<bob@example.com>, relay=hop.example.com[198.51.100.1]:2500, delay=1.5, delays=1.3/0/0/0.2, dsn=5.1.1, status=bounced (host hop.example.com[198.51.100.1] said: 550 5.1.1 No such user)',
  ],
  [
    'put off without a connection',
    { event: 'deferred', nextHop: 'lmtp://[2001:db8::1]:24', reply: 'connection refused', dsn: '4.4.0' },
    'lmtp[77]: ID: to=<bob@example.com>, relay=none, delay=1.5, delays=1.3/0/0/0.2, dsn=4.4.0, status=deferred (connection refused)',
  ],
  [
    'stored in a maildir',
    { event: 'delivered', nextHop: 'maildir:mail/new/1', reply: 'mail/new/1', dsn: '2.0.0' },
    'local[77]: ID: to=<bob@example.com>, relay=local, delay=1.5, delays=1.3/0/0/0.2, dsn=2.0.0, status=sent (delivered to maildir: mail/new/1)',
  ],
  [
    'without a route',
    { event: 'deferred', nextHop: 'no route', reply: 'no route leads to this domain', dsn: '4.4.0' },
    'error[77]: ID: to=<bob@example.com>, relay=none, delay=1.5, delays=1.3/0/0/0.2, dsn=4.4.0, status=deferred (no route leads to this domain)',
  ],
])('an outcome: %s', (_name, entry, expected) => {
  expect(lines({ ...outcome, ...entry })).toEqual([expected.replace('ID', QUEUE_ID)])
})

const refused = { ...ENVELOPE, event: 'rejected', stage: 'rcpt', recipient: 'bob@example.com' }
const PATHS = 'from=<alice@example.org> to=<bob@example.com> proto=ESMTP helo=<mail.example.org>'

test.each([
  [
    'an unknown recipient',
    { ...refused, reply: `550 5.1.1 <bob@example.com>: no such user here (${QUEUE_ID})`, plugin: 'recipients' },
    `RCPT from unknown[192.0.2.9]: 550 5.1.1 <bob@example.com>: Recipient address rejected: User unknown; no such user here; ${PATHS}`,
  ],
  [
    'relaying',
    { ...refused, reply: '550 5.7.1 Relaying denied: not a domain of this server' },
    `RCPT from unknown[192.0.2.9]: 550 5.7.1 <bob@example.com>: Relay access denied; Relaying denied: not a domain of this server; ${PATHS}`,
  ],
  [
    'a greylisted client',
    { ...refused, event: 'deferred', reply: '451 4.7.1 Greylisted, try again in 300 seconds', plugin: 'greylist' },
    `RCPT from unknown[192.0.2.9]: 451 4.7.1 <bob@example.com>: Recipient address rejected: Greylisted, try again in 300 seconds; ${PATHS}`,
  ],
  [
    'a denylisted client',
    { ...refused, reply: '554 5.7.1 Client host [192.0.2.9] is listed by a.example, b.example', plugin: 'dnsbl' },
    `RCPT from unknown[192.0.2.9]: 554 5.7.1 Service unavailable; Client host [192.0.2.9] blocked using a.example, b.example; ${PATHS}`,
  ],
  [
    'a sender domain that does not exist',
    {
      ...ENVELOPE,
      event: 'rejected',
      stage: 'mail',
      reply: '550 5.1.8 Sender address refused: example.org has neither MX nor address',
      plugin: 'sender-domain',
    },
    'MAIL from unknown[192.0.2.9]: 550 5.1.8 <alice@example.org>: Sender address rejected: Domain not found; Sender address refused: example.org has neither MX nor address; from=<alice@example.org> proto=ESMTP helo=<mail.example.org>',
  ],
  [
    'a wrong HELO',
    {
      ...ENVELOPE,
      helo: 'pc',
      event: 'rejected',
      stage: 'mail',
      reply: '550 5.7.1 HELO <pc> refused: not a full host name',
      plugin: 'helo',
    },
    'MAIL from unknown[192.0.2.9]: 550 5.7.1 <pc>: Helo command rejected: need fully-qualified hostname; HELO <pc> refused: not a full host name; from=<alice@example.org> proto=ESMTP helo=<pc>',
  ],
  [
    'a connection',
    { client: '2001:db8::9', event: 'rejected', stage: 'connect', reply: '554 5.7.1 No' },
    'CONNECT from unknown[2001:db8::9]: 554 5.7.1 <unknown[2001:db8::9]>: Client host rejected: No; proto=SMTP',
  ],
  [
    'a connection beyond the limit',
    { client: '192.0.2.9', event: 'turned-away', reason: 'too-many' },
    'CONNECT from unknown[192.0.2.9]: 421 4.7.0 <unknown[192.0.2.9]>: Client host rejected: too-many; proto=SMTP',
  ],
])('refused: %s', (_name, { queueId: _, ...entry }: Record<string, unknown>, expected) => {
  const [line] = lines({ ...entry, queueId: QUEUE_ID })
  const own = `${' '}queue_id=${QUEUE_ID}${entry.plugin ? ` plugin=${entry.plugin}` : ''}`
  expect(line).toBe(`smtpd[77]: NOQUEUE: reject: ${expected}${own}`)
})

test('what a policy would have refused is a warning', () => {
  const entry = { ...refused, stage: undefined, hook: 'recipient', event: 'would-refuse', reply: '450 4.7.1 Later' }
  expect(lines(entry)[0]).toMatch(
    /^smtpd\[77\]: NOQUEUE: reject_warning: RCPT from unknown\[192\.0\.2\.9\]: 450 4\.7\.1/,
  )
})

test('a whole message that is refused, kept back or dropped has its queue id', () => {
  const message = { ...ENVELOPE, recipientAddresses: ['bob@example.com'] }
  const paths = `from=<alice@example.org> to=<bob@example.com> proto=ESMTP helo=<mail.example.org>`
  expect(lines({ ...message, event: 'rejected', stage: 'message', reply: `554 5.7.1 Virus (${QUEUE_ID})` })).toEqual([
    `cleanup[77]: ${QUEUE_ID}: milter-reject: END-OF-MESSAGE from unknown[192.0.2.9]: 554 5.7.1 Virus; ${paths}`,
  ])
  const scanned = { ...message, event: 'scanned', why: 'Eicar (ClamAV)', seconds: 0.1, delay: 0.3 }
  expect(lines({ ...scanned, decision: 'quarantine', state: 'quarantined' })).toEqual([
    `cleanup[77]: ${QUEUE_ID}: hold: END-OF-MESSAGE quarantine: Eicar (ClamAV) from unknown[192.0.2.9]; ${paths}`,
  ])
  expect(lines({ ...scanned, decision: 'discard', state: 'discarded' })).toEqual([
    `cleanup[77]: ${QUEUE_ID}: discard: END-OF-MESSAGE Eicar (ClamAV) from unknown[192.0.2.9]; ${paths}`,
  ])
  expect(lines({ ...scanned, decision: 'rescan', state: 'deferred', why: 'ClamAV could not scan: timeout' })).toEqual([
    `smtp[77]: ${QUEUE_ID}: to=<bob@example.com>, relay=none, delay=0.3, delays=0.2/0/0/0.1, dsn=4.3.0, status=deferred (ClamAV could not scan: timeout)`,
  ])
})

test('a session has its own number in all of its lines that know it, and counts its commands as Postfix does', () => {
  const session = { client: '192.0.2.9', port: 4711 }
  const commands = { rcpt: '1/2', ehlo: 2, auth: '0/1', mail: 1, foo: '0/3' }
  expect(lines({ ...session, event: 'connected' })).toEqual(['smtpd[4711]: connect from unknown[192.0.2.9]'])
  expect(lines({ ...session, event: 'session-ended', commands, ended: 'reset' })).toEqual([
    'smtpd[4711]: lost connection after UNKNOWN from unknown[192.0.2.9]',
    'smtpd[4711]: disconnect from unknown[192.0.2.9] ehlo=2 auth=0/1 mail=1 rcpt=1/2 unknown=0/3 commands=4/9',
  ])
  const facts = { helo: 'mail.example.org', user: 'alice', tls: 'TLSv1.3 TLS_AES_256_GCM_SHA384', seconds: 0.5 }
  expect(lines({ ...session, ...facts, event: 'session-ended', commands: { quit: 1 }, ended: 'drained' })).toEqual([
    'smtpd[4711]: disconnect from unknown[192.0.2.9] quit=1 commands=1 helo=<mail.example.org> user=alice tls=TLSv1.3/TLS_AES_256_GCM_SHA384 seconds=0.5 ended=drained',
  ])
  expect(lines({ ...session, event: 'session-ended', commands: {}, ended: 'timeout' })[0]).toBe(
    'smtpd[4711]: timeout after CONNECT from unknown[192.0.2.9]',
  )
  const tooMany = { ...session, event: 'session-ended', commands: {}, ended: 'errors', lastCommand: 'RCPT' }
  expect(lines(tooMany)[0]).toBe('smtpd[4711]: too many errors after RCPT from unknown[192.0.2.9]')
})

test('a failed login is one, our own trouble with checking it is another', () => {
  const entry = { client: '192.0.2.9', event: 'auth-failed', user: 'bob', why: 'password', mechanism: 'plain' }
  expect(lines(entry)).toEqual([
    'smtpd[77]: warning: unknown[192.0.2.9]: SASL PLAIN authentication failed: password, sasl_username=bob',
  ])
  expect(lines({ ...entry, level: 50, why: 'LDAP is away' })[0]).toContain(
    'authentication failed: Connection lost to authentication server: LDAP is away',
  )
})

test('every other event is a line of master with all that it says, and its severity', () => {
  const why = 'first\nsecond'
  expect(lines({ level: 40, event: 'child-died', child: 'clamd', tries: 3, why })).toEqual([
    'master[77]: warning: child-died -- child=clamd, tries=3, why=first second',
  ])
  expect(lines({ event: 'ready', smtp: [{ port: 25 }] })).toEqual(['master[77]: ready -- smtp=({"port":25})'])
  expect(lines({ level: 50, event: 'failed', err: { type: 'Error', message: 'no' } })).toEqual([
    'master[77]: error: failed -- err={"type":"Error","message":"no"}',
  ])
})

test('a mail event without what its line is made of is not lost', () => {
  expect(lines({ event: 'accepted', size: 7 })).toEqual(['master[77]: accepted -- size=7'])
  expect(lines({ event: 'rejected', reply: 'no code' })).toEqual(['master[77]: rejected -- reply=no code'])
  expect(lines({ event: 'delivered', queueId: QUEUE_ID })).toEqual([`master[77]: delivered -- queueId=${QUEUE_ID}`])
})

const EVENTS = ['accepted', 'rejected', 'deferred', 'delivered', 'failed', 'scanned', 'auth-failed', 'child-died']
const FORGERIES = [
  'x\nNov  2 04:31:07 mx postfix/smtpd[1]: connect from evil[203.0.113.7]',
  'x\r\u2028\u0085\u001b[31m',
  '[1]: A: client=evil[203.0.113.7], x',
  '<x>, size=1 (from=<a@b>, size=99)',
  'evil[203.0.113.7]: SASL LOGIN authentication failed: x',
  'reject: header x',
]

test('whatever a client or a next hop says, the lines are those of the event and name no other client', () => {
  const anything = fc.oneof(fc.constantFrom(...FORGERIES), fc.string({ unit: 'binary' }))
  const fields = ['helo', 'reversePath', 'recipient', 'messageId', 'user', 'why', 'plugin', 'reply', 'mechanism']
  const said = fc.record(Object.fromEntries(fields.map(name => [name, anything])))
  fc.assert(
    fc.property(fc.constantFrom(...EVENTS), said, (event, entry) => {
      const reply = `550 5.7.1 ${entry.reply}`
      const known = { queueId: QUEUE_ID, client: '192.0.2.9', nextHop: 'smtp://hop:25', stage: 'rcpt' }
      const text = raw({ ...entry, reply, ...known, event })
      const written = text.split('\n')
      expect(written.pop()).toBe('')
      expect(written).toHaveLength(event === 'accepted' ? 3 : 1)
      for (const line of written) {
        expect(line).toMatch(/^Nov {2}2 04:31:07 mx\.example\.com postfix\/\w+\[77\]: [^\p{C}\p{Zl}\p{Zp}]*$/u)
        // What pflogsumm and fail2ban take for an address or for the beginning of a record.
        expect(line.slice(line.indexOf(']: ') + 3)).not.toMatch(/\[(?!192\.0\.2\.9\])[^\]]*\]: /)
        expect(line.match(/=</g)?.length ?? 0).toBeLessThanOrEqual(4)
      }
    }),
  )
})

test('every event that the sources log has its row in docs/logs.md', () => {
  const sources = globSync('{bin,containers,functions,local,src}/**/*.ts').map(file => readFileSync(file, 'utf8'))
  const calls = /\blog(?:\.(?:debug|info|warn|error)|\[[^\]]*\])\(\s*(?:\{[\s\S]*?\}|\w+),\s*'([a-z-]+)'/g
  const events = new Set(sources.flatMap(text => [...text.matchAll(calls)].map(([, event]) => event)))
  expect(events.size).toBeGreaterThan(40)
  const documented = readFileSync('docs/logs.md', 'utf8')
  expect([...events].filter(event => !documented.includes(`\`${event}\``))).toEqual([])
})
