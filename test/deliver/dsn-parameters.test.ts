// What senders asked of reports goes on to next hops that know of it (RFC 3461).
import { afterEach, describe, expect, test } from 'vitest'
import { mailDsnParameters, rcptDsnParameters } from '../../src/deliver/dsn-parameters.ts'
import { encodeXtext } from '../../src/mail/xtext.ts'
import { handOver, openPool } from './hand-over.ts'
import { helloReply, type NextHop, startNextHop } from './next-hop.ts'

test.each([
  ['plain-Text.1!', 'plain-Text.1!'],
  ['a+b=c d', 'a+2Bb+3Dc+20d'],
  ['x\r\nRSET', 'x+0D+0ARSET'],
  ['ü', '+C3+BC'],
])('%j is %s as xtext', (text, expected) => {
  expect(encodeXtext(text)).toBe(expected)
})

test('MAIL', () => {
  expect(mailDsnParameters({})).toBe('')
  expect(mailDsnParameters({ ret: 'headers', envelopeId: 'QQ+1' })).toBe(' RET=HDRS ENVID=QQ+2B1')
  expect(mailDsnParameters({ ret: 'full', envelopeId: '' })).toBe(' RET=FULL')
})

test.each([
  [{}, ''],
  [{ notify: [] }, ' NOTIFY=NEVER'],
  [{ notify: ['success', 'delay'] as const }, ' NOTIFY=SUCCESS,DELAY'],
  [{ originalRecipient: 'rfc822;b+c@example.com' }, ' ORCPT=rfc822;b+2Bc@example.com'],
  [{ originalRecipient: 'utf-8;bøb+1@example.com' }, ' ORCPT=utf-8;b\\x{F8}b\\x{2B}1@example.com'],
  [{ originalRecipient: 'no type' }, ''],
  [{ originalRecipient: 'x y;z' }, ''],
])('RCPT: %j', (recipient, expected) => {
  expect(rcptDsnParameters(recipient)).toBe(expected)
})

describe('a next hop', () => {
  let hop: NextHop
  afterEach(() => hop.close())
  const reports = {
    ret: 'headers',
    envelopeId: 'id',
    recipients: [
      { address: 'a@example.com', notify: ['success'], originalRecipient: 'rfc822;old@example.com' },
      { address: 'b@example.com', notify: [] },
      { address: 'c@example.com' },
    ],
  } as const
  const recipients = ['b@example.com', 'a@example.com', 'c@example.com']
  const deliver = () =>
    handOver(openPool(), { protocol: 'smtp', host: '127.0.0.1', port: hop.port }, { recipients, reports })

  test('that offers DSN is told, each recipient its own, and the reports are its duty', async () => {
    hop = await startNextHop({ hello: helloReply(['next-hop.example', 'DSN', 'PIPELINING']) })
    const { results } = await deliver()
    expect(results.map(({ dsn }) => dsn)).toEqual([true, true, true])
    expect(hop.messages[0]?.mail).toBe('MAIL FROM:<alice@sender.example> RET=HDRS ENVID=id')
    expect(hop.messages[0]?.recipients).toEqual([
      'RCPT TO:<b@example.com> NOTIFY=NEVER',
      'RCPT TO:<a@example.com> NOTIFY=SUCCESS ORCPT=rfc822;old@example.com',
      'RCPT TO:<c@example.com>',
    ])
  })

  test('that does not is told nothing, and the reports stay ours', async () => {
    hop = await startNextHop({ hello: helloReply(['next-hop.example', 'PIPELINING']) })
    const { results } = await deliver()
    expect(results.map(({ kind, dsn }) => [kind, dsn])).toEqual(Array(3).fill(['delivered', false]))
    expect(hop.messages[0]?.mail).toBe('MAIL FROM:<alice@sender.example>')
    expect(hop.messages[0]?.recipients).toEqual(recipients.map(recipient => `RCPT TO:<${recipient}>`))
  })
})
