import { afterEach, expect, test } from 'vitest'
import { createDeliverer } from '../../src/deliver/deliverer.ts'
import type { Outcome } from '../../src/deliver/outcome.ts'
import { acceptedMessage, contentOf, deliverOnce, HOSTNAME, MAIL, told } from './messages.ts'
import { type NextHop, type Script, startNextHop } from './next-hop.ts'

let hop: NextHop
afterEach(() => hop.close())
async function start(script: Script = {}) {
  hop = await startNextHop({ lmtp: true, ...script })
}

const three = ['a@example.com', 'b@example.com', 'c@example.com']

test('says LHLO and gets a reply for each recipient', async () => {
  await start({
    dot: said => (said.includes('a@') ? '250 2.1.5 Saved' : said.includes('b@') ? '452 4.2.2 Full' : '550 5.1.1 Gone'),
  })
  const outcomes = await deliverOnce({ to: hop.url, recipients: three })
  expect(told(outcomes)).toEqual(['delivered: 250 2.1.5 Saved', 'deferred: 452 4.2.2 Full', 'failed: 550 5.1.1 Gone'])
  expect([...outcomes.keys()]).toEqual(three)
  expect(hop.connections[0]?.[0]).toBe(`LHLO ${HOSTNAME}`)
  expect(outcomes.get('a@example.com')?.nextHop).toBe(hop.url)
})

test('replies count for the recipients that were accepted, in order', async () => {
  await start({
    rcpt: said => (said.includes('a@') ? '550 5.1.1 Who?' : '250 Ok'),
    dot: said => (said.includes('b@') ? '250 2.1.5 Saved b' : '250 2.1.5 Saved c'),
  })
  const outcomes = await deliverOnce({ to: hop.url, recipients: three })
  expect(Object.fromEntries([...outcomes].map(([recipient, { reply }]) => [recipient, reply]))).toEqual({
    'a@example.com': '550 5.1.1 Who?',
    'b@example.com': '250 2.1.5 Saved b',
    'c@example.com': '250 2.1.5 Saved c',
  })
})

test('who gets no reply before the connection closes is deferred', async () => {
  await start({ dot: said => (said.includes('a@') ? { cut: '250 2.1.5 Saved\r\n' } : { raw: '' }) })
  const outcomes = await deliverOnce({ to: hop.url, recipients: three })
  expect(told(outcomes)).toEqual([
    'delivered: 250 2.1.5 Saved',
    'deferred: connection closed by the next hop',
    'deferred: connection closed by the next hop',
  ])
})

test('who gets no reply in time is deferred', async () => {
  await start({ dot: said => (said.includes('c@') ? 'silence' : '250 2.1.5 Saved') })
  const outcomes = await deliverOnce({ to: hop.url, recipients: three, timeouts: { dot: 50 } })
  expect(told(outcomes).at(-1)).toBe('deferred: no reply to the final dot within 0.05 s')
  expect(told(outcomes).slice(0, 2)).toEqual(['delivered: 250 2.1.5 Saved', 'delivered: 250 2.1.5 Saved'])
})

test('a recipient’s outcome is handed over before the slower ones have theirs', async () => {
  await start({ dot: said => (said.includes('a@') ? '250 2.1.5 Saved' : 'silence') })
  const deliverer = createDeliverer({ hostname: HOSTNAME, routes: [{ domains: ['*'], to: hop.url }] })
  const seen: Outcome[] = []
  const request = { message: acceptedMessage(three), content: contentOf(MAIL), recipients: three, headers: [] }
  const delivery = deliverer.deliver(request, async outcomes => {
    seen.push(...outcomes)
    // Only now does the next hop say the rest.
    if (seen.length === 1) for (const socket of hop.open) socket.write('250 2.1.5 Late\r\n250 2.1.5 Later\r\n')
  })
  await delivery
  expect(seen.map(({ reply }) => reply)).toEqual(['250 2.1.5 Saved', '250 2.1.5 Late', '250 2.1.5 Later'])
  await deliverer.close()
})

test('an SMTP server is no LMTP server: deferred, without HELO', async () => {
  hop = await startNextHop()
  const outcomes = await deliverOnce({ to: hop.url.replace('smtp:', 'lmtp:') })
  expect(told(outcomes)).toEqual(['deferred: 500 5.5.1 Wrong protocol'])
  expect(hop.connections[0]).toEqual([`LHLO ${HOSTNAME}`])
})
