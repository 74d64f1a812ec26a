// Open relay: tricks by which a stranger tries to send to somebody else through us. Whatever is said, nothing for a
// foreign domain reaches the store; and what looks like a trick but is ours is taken.
import { connect } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { domainOf } from '../../src/mail/envelope.ts'
import { converse, type Dialogue, dial, greeted } from './dialogue.ts'
import { CREDENTIALS, loggedIn, startModes } from './modes.ts'
import { start } from './start.ts'

/** Says DATA and a content whatever was answered, as a spammer's program does. */
async function insist(client: Dialogue): Promise<void> {
  client.send('DATA\r\nSubject: spam\r\n\r\nspam\r\n.\r\nQUIT\r\n')
  await client.closed()
}

const tricks: [string, string][] = [
  ['a foreign domain', '<victim@elsewhere.test>'],
  ['a domain below ours', '<victim@sub.example.com>'],
  ['a domain that begins with ours', '<victim@example.com.elsewhere.test>'],
  ['a domain that ends with ours', '<victim@notexample.com>'],
  ['a domain with ours behind a dash', '<victim@elsewhere-example.com>'],
  ['the top of our domain', '<victim@com>'],
  ['our host name', '<victim@mx.example.com>'],
  ['percent hack', '<victim%elsewhere.test@example.com>'],
  ['percent hack twice', '<victim%elsewhere.test%other.test@example.com>'],
  ['percent hack in quotes', '<"victim%elsewhere.test"@example.com>'],
  ['percent sign, escaped', '<"victim\\%elsewhere.test"@example.com>'],
  ['percent hack to a foreign domain', '<victim%example.com@elsewhere.test>'],
  ['bang path', '<elsewhere.test!victim@example.com>'],
  ['bang path in quotes', '<"elsewhere.test!victim"@example.com>'],
  ['bang path through us', '<example.com!elsewhere.test!victim@example.com>'],
  ['bang path and nothing else', '<elsewhere.test!victim>'],
  ['bang path through our domain', '<example.com!victim@elsewhere.test>'],
  ['source route through us', '<@example.com:victim@elsewhere.test>'],
  ['source route through two of ours', '<@example.com,@mx.example.com:victim@elsewhere.test>'],
  ['source route, then percent hack', '<@example.com:victim%elsewhere.test@example.com>'],
  ['source route without a mailbox', '<@elsewhere.test:@example.com>'],
  ['source route twice', '<@example.com:@example.com:victim@elsewhere.test>'],
  ['source route that ends with ours', '<victim@elsewhere.test:@example.com>'],
  ['quoted at-sign', '<"victim@elsewhere.test"@example.com>'],
  ['quoted at-sign, escaped', '<"victim\\@elsewhere.test"@example.com>'],
  ['escaped at-sign without quotes', '<victim\\@elsewhere.test@example.com>'],
  ['two at-signs', '<victim@elsewhere.test@example.com>'],
  ['two at-signs, ours first', '<victim@example.com@elsewhere.test>'],
  ['angle brackets, ours behind', '<victim@elsewhere.test>@example.com'],
  ['angle brackets in angle brackets', '<<victim@elsewhere.test>@example.com>'],
  ['two addresses', '<victim@elsewhere.test> <bob@example.com>'],
  ['two addresses in one path', '<bob@example.com,victim@elsewhere.test>'],
  ['two addresses, the second ours', '<victim@elsewhere.test,bob@example.com>'],
  ['two addresses and a semicolon', '<bob@example.com;victim@elsewhere.test>'],
  ['no angle brackets', 'victim@elsewhere.test'],
  ['no angle brackets, two addresses', 'bob@example.com,victim@elsewhere.test'],
  ['an open angle bracket', '<victim@elsewhere.test'],
  ['a trailing dot', '<victim@elsewhere.test.>'],
  ['a trailing dot behind ours', '<victim@elsewhere.test@example.com.>'],
  ['two trailing dots', '<victim@elsewhere.test..example.com>'],
  ['a leading dot', '<victim@.elsewhere.test>'],
  ['a comment with ours', '<victim@elsewhere.test(@example.com)>'],
  ['a comment in front', '<(bob@example.com)victim@elsewhere.test>'],
  ['a space in front of the domain', '<victim@elsewhere.test @example.com>'],
  ['a tab', '<victim@elsewhere.test\t@example.com>'],
  ['a NUL in front of ours', '<victim@elsewhere.test\0@example.com>'],
  ['a NUL behind the foreign domain', '<victim@elsewhere.test\0.example.com>'],
  ['a CR and another RCPT', '<bob@example.com>\rRCPT TO:<victim@elsewhere.test>'],
  ['an LF and another RCPT', '<bob@example.com>\nRCPT TO:<victim@elsewhere.test>'],
  ['an encoded line end', '<bob@example.com%0d%0aRCPT%20TO:victim@elsewhere.test>'],
  ['an encoded word', '<=?utf-8?q?victim=40elsewhere.test=3e=00?=@example.com>=20'],
  ['upper case', '<VICTIM@ELSEWHERE.TEST>'],
  ['postmaster of somebody else', '<postmaster@elsewhere.test>'],
  ['postmaster with a percent hack', '<postmaster%elsewhere.test>'],
  ['our address as a literal', '<victim@[127.0.0.1]>'],
  ['our address as an IPv6 literal', '<victim@[IPv6:::1]>'],
  ['our address as a mapped literal', '<victim@[IPv6:::ffff:127.0.0.1]>'],
  ['an address without brackets', '<victim@127.0.0.1>'],
  ['an address as a number', '<victim@2130706433>'],
  ['an address in hexadecimal', '<victim@0x7f000001>'],
  ['localhost', '<victim@localhost>'],
  ['a foreign literal', '<victim@[192.0.2.1]>'],
  ['our domain in brackets', '<victim@[example.com]>'],
  ['a literal and our domain', '<victim@[192.0.2.1].example.com>'],
  ['a colon instead of an at-sign', '<elsewhere.test:victim@example.com>'],
  ['DECnet', '<elsewhere.test::victim@example.com>'],
  ['a slash', '<victim/elsewhere.test@elsewhere.test/example.com>'],
  ['a pipe', '<"|/bin/mail victim@elsewhere.test"@example.com>'],
  ['a parameter of somebody else', '<bob@example.com> RRVS=2014-04-03T23:01:00Z'],
  ['no domain', '<victim>'],
  ['an empty domain', '<victim@>'],
  ['the null path', '<>'],
]

const international: [string, string][] = [
  ['a Cyrillic look-alike', '<victim@ехample.com>'],
  ['a full-width letter', '<victim@ｅxample.com>'],
  ['an ideographic full stop', '<victim@elsewhere\u3002example.com>'],
  ['a full-width at-sign', '<victim＠elsewhere.test@example.com>'],
  ['a small at-sign', '<victim﹫elsewhere.test@example.com>'],
  ['a full-width percent sign', '<victim％elsewhere.test@example.com>'],
  ['a full-width exclamation mark', '<elsewhere.test！victim@example.com>'],
  ['a zero-width space', '<victim@exa\u200bmple.com>'],
  ['a soft hyphen', '<victim@exa\u00admple.com>'],
  ['a Kelvin sign', '<victim@\u212aelsewhere.test>'],
  ['a fraction slash', '<victim@example.com\u2044elsewhere.test>'],
  ['a right-to-left override', '<\u202evictim@elsewhere.test\u202c@example.com>'],
  ['another Punycode', '<victim@xn--xample-2of.com>'],
]

describe('RCPT with', () => {
  test.each(tricks)('%s is refused', async (_, path) => {
    const { port, isEmpty } = await start()
    const client = await greeted(port)
    await client.say('MAIL FROM:<stranger@b.test>')
    expect(await client.say(`RCPT TO:${path}`)).toMatch(/^5[05]\d 5\./)
    await insist(client)
    expect(isEmpty()).toBe(true)
  })

  test.each(international)('%s is refused, SMTPUTF8 or not', async (_, path) => {
    const { port, isEmpty } = await start()
    const client = await greeted(port)
    for (const parameter of ['', ' SMTPUTF8']) {
      await client.say(`MAIL FROM:<stranger@b.test>${parameter}`)
      expect(await client.say(`RCPT TO:${path}`)).toMatch(/^5[05]\d 5\./)
      await client.say('RSET')
    }
    await insist(client)
    expect(isEmpty()).toBe(true)
  })

  test.each([
    ['one of ours', '<bob@example.com>', 'bob@example.com'],
    ['ours in capitals', '<Bob@EXAMPLE.COM>', 'Bob@example.com'],
    ['ours through a route', '<@elsewhere.test:bob@example.com>', 'bob@example.com'],
    ['our international domain', '<bob@xn--bcher-kva.example>', 'bob@xn--bcher-kva.example'],
    ['the postmaster', '<postmaster>', 'postmaster@example.com'],
    ['the postmaster of ours', '<POSTMASTER@example.com>', 'POSTMASTER@example.com'],
    ['a local part that is a sub-address', '<bob+elsewhere.test@example.com>', 'bob+elsewhere.test@example.com'],
    ['a local part with dots and dashes', '<elsewhere.test-victim@example.com>', 'elsewhere.test-victim@example.com'],
    ['a quoted local part', '<"bob smith"@example.com>', '"bob smith"@example.com'],
  ])('%s is taken', async (_, path, recipient) => {
    const { port, accepted } = await start()
    const client = await greeted(port)
    await client.say('MAIL FROM:<stranger@b.test>')
    expect(await client.say(`RCPT TO:${path}`)).toMatch(/^250 2\.1\.5 /)
    await insist(client)
    expect(accepted().map(({ job }) => job.recipients)).toEqual([[recipient]])
  })
})

describe('a session that', () => {
  const VICTIM = 'RCPT TO:<victim@elsewhere.test>'
  test.each([
    ['claims our domain as the sender', ['EHLO c', 'MAIL FROM:<bob@example.com>', VICTIM]],
    ['claims our host in EHLO', ['EHLO mx.example.com', 'MAIL FROM:<a@b.test>', VICTIM]],
    ['claims localhost in EHLO', ['EHLO localhost', 'MAIL FROM:<root@localhost>', VICTIM]],
    ['claims a loopback literal in EHLO', ['EHLO [127.0.0.1]', 'MAIL FROM:<a@b.test>', VICTIM]],
    ['sends a bounce', ['EHLO c', 'MAIL FROM:<>', VICTIM]],
    ['says it was authenticated elsewhere', ['EHLO c', 'MAIL FROM:<a@b.test> AUTH=<bob@example.com>', VICTIM]],
    ['authenticates where nobody can', ['EHLO c', `AUTH PLAIN ${CREDENTIALS}`, 'MAIL FROM:<a@b.test>', VICTIM]],
    ['says RCPT before MAIL', ['EHLO c', VICTIM, 'MAIL FROM:<a@b.test>']],
    ['says nothing but RCPT', [VICTIM]],
    ['says DATA without RCPT', ['EHLO c', 'MAIL FROM:<a@b.test>']],
    [
      'mixes one of ours in, then resets',
      ['EHLO c', 'MAIL FROM:<a@b.test>', 'RCPT TO:<bob@example.com>', 'RSET', VICTIM],
    ],
    ['names another client by XCLIENT', ['EHLO c', 'XCLIENT ADDR=10.1.2.3 LOGIN=bob', 'MAIL FROM:<a@b.test>', VICTIM]],
    ['names another client by XFORWARD', ['EHLO c', 'XFORWARD ADDR=10.1.2.3', 'MAIL FROM:<a@b.test>', VICTIM]],
    ['sends a PROXY header', ['PROXY TCP4 10.1.2.3 127.0.0.1 56324 25', 'EHLO c', 'MAIL FROM:<a@b.test>', VICTIM]],
    ['uses SEND', ['EHLO c', 'SEND FROM:<a@b.test>', VICTIM]],
    ['uses SAML', ['EHLO c', 'SAML FROM:<a@b.test>', VICTIM]],
    ['turns the session round', ['EHLO c', 'TURN', 'ETRN elsewhere.test', 'MAIL FROM:<a@b.test>', VICTIM]],
    ['uses BDAT', ['EHLO c', 'MAIL FROM:<a@b.test>', VICTIM, 'BDAT 5 LAST']],
  ])('%s sends nothing', async (_, lines) => {
    const { port, isEmpty } = await start({ relay: { domains: ['example.com'], networks: ['10.0.0.0/8'] } })
    const client = dial(port)
    client.send(lines.map(line => `${line}\r\n`).join(''))
    await insist(client)
    expect(isEmpty()).toBe(true)
  })

  test('sends a binary PROXY header is no client of a trusted network', async () => {
    const { port, isEmpty } = await start({ relay: { domains: ['example.com'], networks: ['10.0.0.0/8'] } })
    const client = dial(port)
    client.send(Buffer.from('0d0a0d0a000d0a515549540a2111000c0a0102037f000001dc040019', 'hex'))
    client.send('EHLO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<victim@elsewhere.test>\r\n')
    await insist(client)
    expect(isEmpty()).toBe(true)
  })

  test('mixes a recipient of ours with foreign ones reaches ours alone', async () => {
    const { port, accepted } = await start()
    const client = await greeted(port)
    client.send('MAIL FROM:<a@b.test>\r\nRCPT TO:<x@elsewhere.test>\r\nRCPT TO:<bob@example.com>\r\n')
    client.send('RCPT TO:<y@elsewhere.test>\r\n')
    await insist(client)
    expect(accepted().map(({ job }) => job.recipients)).toEqual([['bob@example.com']])
  })

  test('says nothing but HELO is held to the same', async () => {
    const { port, isEmpty } = await start()
    const client = dial(port)
    client.send('HELO mx.example.com\r\nMAIL FROM:<bob@example.com>\r\nRCPT TO:<victim@elsewhere.test>\r\n')
    await insist(client)
    expect(isEmpty()).toBe(true)
  })

  test('comes through a load balancer counts as the client, not as the load balancer', async () => {
    const networks = ['10.0.0.0/8']
    const relay = { domains: ['example.com'], networks }
    const { port, accepted } = await start({ relay, proxyProtocol: ['127.0.0.1'] })
    const rcptOf = async (header: string) => {
      const client = dial(port)
      client.send(`${header}\r\nEHLO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<victim@elsewhere.test>\r\n`)
      for (let n = 0; n < 3; n++) await client.reply()
      return client.reply()
    }
    expect(await rcptOf('PROXY TCP4 192.0.2.1 127.0.0.1 56324 25')).toMatch(/^550 5\.7\.1 /)
    expect(await rcptOf('PROXY TCP6 2001:db8::1 ::1 56324 25')).toMatch(/^550 5\.7\.1 /)
    expect(await rcptOf('PROXY UNKNOWN')).toMatch(/^550 5\.7\.1 /)
    expect(await rcptOf('PROXY TCP4 10.1.2.3 127.0.0.1 56324 25')).toMatch(/^250 /)
    expect(accepted()).toEqual([])
  })

  test('comes from an IPv4 client over an IPv6 listener counts as that IPv4 client', async () => {
    const listeners = [{ address: '::', port: 0, mode: 'mx' as const }]
    for (const [network, reply] of [
      ['127.0.0.1/32', /^250 /],
      ['127.0.0.2/32', /^550 5\.7\.1 /],
      ['::/127', /^550 5\.7\.1 /],
    ] as const) {
      const { port } = await start({ listeners, relay: { domains: ['example.com'], networks: [network] } })
      const client = await greeted(port)
      await client.say('MAIL FROM:<a@b.test>')
      expect(await client.say('RCPT TO:<friend@elsewhere.test>')).toMatch(reply)
      const overIpv6 = converse(connect({ host: '::1', port }))
      onTestFinished(() => overIpv6.hangUp())
      await overIpv6.reply()
      await overIpv6.say('EHLO c')
      await overIpv6.say('MAIL FROM:<a@b.test>')
      const expected = network === '::/127' ? /^250 / : /^550 5\.7\.1 /
      expect(await overIpv6.say('RCPT TO:<friend@elsewhere.test>')).toMatch(expected)
    }
  })
})

describe('a submission listener', () => {
  test('takes from strangers nothing at all, not even for our domains', async () => {
    const { submission, isEmpty } = await startModes()
    const client = await greeted(submission)
    expect(await client.say('MAIL FROM:<bob@example.com>')).toMatch(/^530 5\.7\.0 /)
    client.send('RCPT TO:<bob@example.com>\r\nRCPT TO:<victim@elsewhere.test>\r\n')
    await insist(client)
    expect(isEmpty()).toBe(true)
  })

  test('lets users send anywhere, but not by routes in local parts', async () => {
    const { submissions, accepted } = await startModes()
    const client = await loggedIn(submissions)
    await client.say('MAIL FROM:<bob@example.com>')
    expect(await client.say('RCPT TO:<friend@elsewhere.test>')).toMatch(/^250 /)
    expect(await client.say('RCPT TO:<victim%other.test@elsewhere.test>')).toMatch(/^550 5\.7\.1 /)
    await insist(client)
    expect(
      accepted().map(({ message }) => message.envelope.recipients.map(({ address }) => domainOf(address))),
    ).toEqual([['elsewhere.test']])
  })
})
