import { afterEach, describe, expect, test } from 'vitest'
import { acceptedMessage, contentOf, deliverOnce, HOSTNAME, MAIL, told } from './messages.ts'
import { helloReply, type NextHop, type Script, startNextHop } from './next-hop.ts'

let hop: NextHop
afterEach(() => hop.close())
const start = async (script?: Script) => {
  hop = await startNextHop(script)
}
const deliver = (options: Omit<Parameters<typeof deliverOnce>[0], 'to'> = {}) =>
  deliverOnce({ to: hop.url, ...options })

const three = ['a@example.com', 'b@example.com', 'c@example.com']

describe('a message is delivered', () => {
  test('with its envelope, and the next hop’s last word is kept', async () => {
    await start()
    const outcomes = await deliver({ recipients: three })
    expect(told(outcomes)).toEqual(three.map(() => 'delivered: 250 2.0.0 Ok: queued as 42'))
    expect(outcomes.get('a@example.com')).toMatchObject({ nextHop: hop.url, recipient: 'a@example.com' })
    expect(hop.connections[0]).toEqual([
      `EHLO ${HOSTNAME}`,
      expect.stringMatching(/^MAIL FROM:<alice@sender.example> SIZE=\d+$/),
      ...three.map(recipient => `RCPT TO:<${recipient}>`),
      'DATA',
      'QUIT',
    ])
  })

  test('from the null sender', async () => {
    await start()
    await deliver({ message: acceptedMessage(undefined, { envelope: { reversePath: '' } }) })
    expect(hop.messages[0]?.mail).toMatch(/^MAIL FROM:<> /)
  })

  test('in one piece, commands and all, where PIPELINING is offered', async () => {
    await start({ holdUntil: 'DATA' })
    expect(told(await deliver({ recipients: three }))).toHaveLength(3)
    expect(hop.messages).toHaveLength(1)
  })

  test('step by step where it is not', async () => {
    let unanswered = 0
    const once = (reply: string) => () => {
      unanswered++
      queueMicrotask(() => unanswered--)
      return unanswered === 1 ? reply : '503 5.5.0 One at a time'
    }
    await start({
      hello: helloReply(['old.example']),
      mail: once('250 Ok'),
      rcpt: once('250 Ok'),
      data: once('354 Go'),
    })
    expect(told(await deliver({ recipients: three }))).toEqual(three.map(() => 'delivered: 250 2.0.0 Ok: queued as 42'))
    expect(hop.messages[0]?.mail).toBe('MAIL FROM:<alice@sender.example>')
  })

  test('by a next hop that knows only HELO', async () => {
    await start({ hello: '502 5.5.1 What?' })
    expect(told(await deliver())).toEqual(['delivered: 250 2.0.0 Ok: queued as 42'])
    expect(hop.connections[0]?.slice(0, 2)).toEqual([`EHLO ${HOSTNAME}`, `HELO ${HOSTNAME}`])
  })

  test('to more recipients than a transaction takes, in several', async () => {
    await start()
    const many = Array.from({ length: 5 }, (_, n) => `r${n}@example.com`)
    const outcomes = await deliver({ recipients: many, limits: { maxRecipients: 2 } })
    expect([...outcomes.keys()]).toEqual(many)
    expect(hop.messages.map(({ recipients }) => recipients.length)).toEqual([2, 2, 1])
    expect(hop.connections).toHaveLength(1)
  })

  test('with a reply of many lines in one, and a reply of nothing but a code', async () => {
    await start({ mail: '250', rcpt: '250', dot: '250-2.0.0 Thank you\r\n250-2.0.0 and\r\n250 good bye\x07' })
    expect(told(await deliver())).toEqual(['delivered: 250 2.0.0 Thank you and good bye'])
  })
})

describe('8-bit and international mail', () => {
  test('BODY and SMTPUTF8 are said where they are declared and offered', async () => {
    await start()
    const envelope = { smtputf8: true, body: '8BITMIME' as const, reversePath: 'ålice@sender.example' }
    await deliver({ message: acceptedMessage(undefined, { envelope }) })
    expect(hop.messages[0]?.mail).toMatch(/^MAIL FROM:<ålice@sender.example> SIZE=\d+ BODY=8BITMIME SMTPUTF8$/)
  })

  test('without SMTPUTF8 an international recipient fails, the others are delivered', async () => {
    await start({ hello: helloReply(['plain.example', 'PIPELINING', '8BITMIME']) })
    const recipients = ['bøb@example.com', 'carol@example.com']
    const message = acceptedMessage(recipients, { envelope: { smtputf8: true } })
    expect(told(await deliver({ recipients, message }))).toEqual([
      'failed: 550 5.6.7 The next hop does not take international addresses (no SMTPUTF8)',
      'delivered: 250 2.0.0 Ok: queued as 42',
    ])
    expect(hop.messages[0]?.recipients).toEqual(['RCPT TO:<carol@example.com>'])
  })

  test.each([
    [
      'reverse-path',
      acceptedMessage(three, { envelope: { smtputf8: true, reversePath: 'ålice@sender.example' } }),
      MAIL,
    ],
    ['header', acceptedMessage(three, { envelope: { smtputf8: true } }), 'Subject: Grüße\r\n\r\nHello\r\n'],
  ])('without SMTPUTF8 an international %s fails for all', async (_, message, mail) => {
    await start({ hello: helloReply(['plain.example', 'PIPELINING']) })
    const outcomes = await deliver({ recipients: three, message, content: contentOf(mail) })
    expect([...outcomes.values()].map(({ kind }) => kind)).toEqual(['failed', 'failed', 'failed'])
    expect(hop.connections[0]).toEqual([`EHLO ${HOSTNAME}`, 'QUIT'])
  })

  test('an 8-bit body alone needs no SMTPUTF8, even where it was declared', async () => {
    await start({ hello: helloReply(['plain.example']) })
    const message = acceptedMessage(undefined, { envelope: { smtputf8: true, body: '8BITMIME' } })
    const outcomes = await deliver({ message, content: contentOf('Subject: x\r\n\r\nGrüße\r\n') })
    expect(told(outcomes)).toEqual(['delivered: 250 2.0.0 Ok: queued as 42'])
  })
})

const pipelining = { hello: helloReply() }
const stepwise = { hello: helloReply(['old.example']) }

describe.each([
  ['pipelined', pipelining],
  ['step by step', stepwise],
])('a refusal, %s:', (_, way) => {
  test.each<[string, Script, string]>([
    ['421 greeting', { greeting: '421 4.3.2 Busy' }, 'deferred: 421 4.3.2 Busy'],
    ['554 greeting', { greeting: '554 5.7.1 Go away' }, 'deferred: 554 5.7.1 Go away'],
    ['4yz to EHLO', { hello: '451 4.3.0 Later' }, 'deferred: 451 4.3.0 Later'],
    ['5yz to EHLO and HELO', { hello: '550 5.7.1 No', helo: '550 5.7.1 Really no' }, 'deferred: 550 5.7.1 Really no'],
    ['4yz to MAIL', { mail: '451 4.7.1 Later' }, 'deferred: 451 4.7.1 Later'],
    ['5yz to MAIL', { mail: '550 5.7.1 Not from you' }, 'failed: 550 5.7.1 Not from you'],
    ['authentication required', { mail: '530 5.7.0 Authenticate first' }, 'deferred: 530 5.7.0 Authenticate first'],
    ['4yz to RCPT', { rcpt: '450 4.2.0 Greylisted' }, 'deferred: 450 4.2.0 Greylisted'],
    ['5yz to RCPT', { rcpt: '550 5.1.1 No such user' }, 'failed: 550 5.1.1 No such user'],
    ['too many recipients, old style', { rcpt: '552 Too many' }, 'deferred: 552 Too many'],
    ['mailbox full for good', { rcpt: '552 5.2.2 Full' }, 'failed: 552 5.2.2 Full'],
    ['4yz to DATA', { data: '451 4.3.0 Later' }, 'deferred: 451 4.3.0 Later'],
    ['5yz to DATA', { data: '554 5.6.0 No' }, 'failed: 554 5.6.0 No'],
    ['4yz to the dot', { dot: '452 4.3.1 Disk full' }, 'deferred: 452 4.3.1 Disk full'],
    ['5yz to the dot', { dot: '554 5.7.1 Spam' }, 'failed: 554 5.7.1 Spam'],
    ['2yz to DATA', { data: '250 Whatever' }, 'deferred: 250 Whatever'],
    ['3yz to RCPT', { rcpt: '354 Go' }, 'deferred: 354 Go'],
    ['354 to the dot', { dot: '354 More' }, 'deferred: 354 More'],
    ['421 to RCPT', { rcpt: '421 4.3.2 Shutting down' }, 'deferred: 421 4.3.2 Shutting down'],
  ])('%s', async (_name, script, expected) => {
    await start({ ...way, ...script })
    expect(told(await deliver({ recipients: three }))).toEqual([expected, expected, expected])
    expect(hop.messages).toHaveLength('dot' in script ? 1 : 0)
  })

  test('4yz is no verdict on the next attempt', async () => {
    await start({ ...way, dot: '451 4.3.0 Later' })
    expect(told(await deliver())).toEqual(['deferred: 451 4.3.0 Later'])
    hop.follow(way)
    expect(told(await deliver())).toEqual(['delivered: 250 2.0.0 Ok: queued as 42'])
  })

  test('each recipient has its own', async () => {
    const rcpt = (said: string) =>
      said.includes('a@') ? '550 5.1.1 Who?' : said.includes('b@') ? '450 4.2.1 Later' : '250 Ok'
    await start({ ...way, rcpt })
    expect(Object.fromEntries([...(await deliver({ recipients: three }))].map(([r, o]) => [r, o.kind]))).toEqual({
      'a@example.com': 'failed',
      'b@example.com': 'deferred',
      'c@example.com': 'delivered',
    })
    expect(hop.messages[0]?.recipients).toEqual(['RCPT TO:<c@example.com>'])
  })

  test('MAIL is refused and the connection closed', async () => {
    await start({ ...way, mail: { cut: '550 5.7.1 Blocked\r\n' } })
    expect(told(await deliver({ recipients: three }))).toEqual(three.map(() => 'failed: 550 5.7.1 Blocked'))
  })
})

describe('all recipients refused while DATA was on its way already', () => {
  test('a next hop that wants content all the same gets a lone dot', async () => {
    await start({ rcpt: '550 5.1.1 Who?', data: '354 Go on' })
    expect(told(await deliver({ recipients: three }))).toEqual(three.map(() => 'failed: 550 5.1.1 Who?'))
    await expect.poll(() => hop.messages.map(({ wire }) => wire.toString())).toEqual(['.\r\n'])
  })

  test.each([
    ['refused', '503 5.5.1 MAIL first'],
    ['accepted', '250 2.1.5 Ok'],
  ])('so it is when MAIL was refused, be RCPT %s: the content does not go out', async (_, rcpt) => {
    await start({ mail: '451 4.3.0 Later', rcpt, data: '354 Go on' })
    expect(told(await deliver({ recipients: three }))).toEqual(three.map(() => 'deferred: 451 4.3.0 Later'))
    await expect.poll(() => hop.messages.map(({ wire }) => wire.toString())).toEqual(['.\r\n'])
  })
})

test('nobody listening is a deferral, with a word for people', async () => {
  await start()
  const { url } = hop
  await hop.close()
  expect(told(await deliverOnce({ to: url }))).toEqual(['deferred: connection refused'])
  await start()
})

test('a domain without a route waits', async () => {
  await start()
  const { createDeliverer } = await import('../../src/deliver/deliverer.ts')
  const { deliverWith } = await import('./messages.ts')
  const deliverer = createDeliverer({ hostname: HOSTNAME, routes: [{ domains: ['example.org'], to: hop.url }] })
  const outcomes = await deliverWith(deliverer, { recipients: ['a@example.org', 'b@elsewhere.example'] })
  expect(outcomes.get('a@example.org')?.kind).toBe('delivered')
  expect(outcomes.get('b@elsewhere.example')).toMatchObject({ kind: 'deferred', nextHop: 'no route' })
  await deliverer.close()
})
