// Next hops that cut, hang, drip or talk nonsense: always exactly one outcome, never a wrong one.
import { afterEach, describe, expect, test } from 'vitest'
import { createDeliverer } from '../../src/deliver/deliverer.ts'
import type { DeliveryTimeouts } from '../../src/deliver/smtp-connection.ts'
import { contentOf, deliverOnce, deliverWith, HOSTNAME, told } from './messages.ts'
import { type Action, helloReply, type NextHop, type Script, startNextHop } from './next-hop.ts'

const hops: NextHop[] = []
afterEach(async () => {
  for (const hop of hops.splice(0)) await hop.close()
})
async function start(script: Script = {}): Promise<NextHop> {
  const hop = await startNextHop(script)
  hops.push(hop)
  return hop
}

const two = ['a@example.com', 'b@example.com']
const ways: [string, Script][] = [
  ['pipelined', { hello: helloReply() }],
  ['step by step', { hello: helloReply(['old.example']) }],
]

describe.each(ways)('a next hop that closes, %s,', (_, way) => {
  const cut: Action = { cut: '' }
  const steps: [keyof Script, string][] = [
    ['greeting', 'before it says anything'],
    ['hello', 'at EHLO'],
    ['mail', 'at MAIL'],
    ['rcpt', 'at RCPT'],
    ['data', 'at DATA'],
    ['dot', 'at the dot'],
  ]
  test.each(steps)('at %s: %s', async (step, _when) => {
    const hop = await start({ ...way, [step]: cut })
    const outcomes = told(await deliverOnce({ to: hop.url, recipients: two }))
    expect(outcomes).toHaveLength(2)
    for (const outcome of outcomes) expect(outcome).toMatch(/^deferred: connection (closed|reset) by the next hop$/)
  })

  test('between two recipients: what was said of the first one stands', async () => {
    const hop = await start({ ...way, rcpt: said => (said.includes('a@') ? '550 5.1.1 Who?' : cut) })
    const outcomes = await deliverOnce({ to: hop.url, recipients: two })
    expect(outcomes.get('a@example.com')).toMatchObject({ kind: 'failed', reply: '550 5.1.1 Who?' })
    expect(outcomes.get('b@example.com')?.kind).toBe('deferred')
  })

  test('right behind its 250: delivered all the same', async () => {
    const hop = await start({ ...way, dot: { cut: '250 2.0.0 Ok\r\n' } })
    expect(told(await deliverOnce({ to: hop.url }))).toEqual(['delivered: 250 2.0.0 Ok'])
  })

  test('after any number of octets that it sent: delivered only if the last reply is whole', async () => {
    const greeting = '220 x\r\n'
    const last = '250 2.0.0 Ok\r\n'
    const script = {
      ...way,
      greeting: greeting.trim(),
      mail: '250 Ok',
      rcpt: '250 Ok',
      data: '354 Go',
      dot: last.trim(),
    }
    const before = `${greeting}${script.hello}\r\n250 Ok\r\n250 Ok\r\n354 Go\r\n`.length
    for (let octets = 0; octets <= before + last.length; octets += octets < before - 8 ? 7 : 1) {
      const hop = await start({ ...script, cutAfterSending: octets })
      const [outcome] = (await deliverOnce({ to: hop.url })).values()
      // The LF is what makes the last reply whole.
      expect([octets, outcome?.kind]).toEqual([octets, octets < before + last.length ? 'deferred' : 'delivered'])
    }
  })

  test('after any number of octets that it got: a message counts only with its final dot', async () => {
    const probe = await start(way)
    await deliverOnce({ to: probe.url })
    const octets = probe.connections[0]!.join('\r\n').length + 2 + probe.messages[0]!.wire.length
    for (let limit = 1; limit < octets + 7; limit += 7) {
      const hop = await start({ ...way, cutAfterReceiving: limit })
      const [outcome] = (await deliverOnce({ to: hop.url })).values()
      if (hop.messages.length === 0) expect([limit, outcome?.kind]).toEqual([limit, 'deferred'])
    }
  })
})

describe.each(ways)('a next hop that never answers, %s,', (_, way) => {
  test.each<[keyof DeliveryTimeouts, Script, RegExp]>([
    ['greeting', { greeting: 'mute' }, /^no reply to connect within 0.05 s$/],
    ['hello', { hello: 'mute' }, /^no reply to EHLO within 0.05 s$/],
    ['mail', { mail: 'mute' }, /^no reply to MAIL within 0.05 s$/],
    ['rcpt', { rcpt: 'mute' }, /^no reply to RCPT within 0.05 s$/],
    ['data', { data: 'mute' }, /^no reply to DATA within 0.05 s$/],
    ['dot', { dot: 'mute' }, /^no reply to the final dot within 0.05 s$/],
  ])('to %s', async (timeout, script, expected) => {
    const hop = await start({ ...way, ...script })
    const outcomes = await deliverOnce({ to: hop.url, recipients: two, timeouts: { [timeout]: 50 } })
    expect([...outcomes.values()].map(({ kind }) => kind)).toEqual(['deferred', 'deferred'])
    for (const { reply } of outcomes.values()) expect(reply).toMatch(expected)
    await expect.poll(() => hop.open.size).toBe(0)
  })
})

test('a next hop that stops reading gets no more than the buffers hold, and is given up', async () => {
  const hop = await start({ stopReading: true })
  let octets = 0
  const endless = {
    size: 1_000_000_000,
    async *chunks() {
      yield Buffer.from('Subject: endless\r\n\r\n')
      for (; octets < 1_000_000_000; octets += 64_000) yield Buffer.alloc(64_000, 'x\r\n')
    },
  }
  const outcomes = await deliverOnce({ to: hop.url, content: endless, timeouts: { block: 200 } })
  expect(told(outcomes)).toEqual(['deferred: no content taken for 0.2 s'])
  expect(octets).toBeLessThan(50_000_000)
})

test('a drip of octets is no answer: the attempt as a whole has an end', async () => {
  const hop = await start({ mail: 'mute' })
  const drip = setInterval(() => {
    for (const socket of hop.open) socket.write('2')
  }, 10)
  const outcomes = await deliverOnce({ to: hop.url, timeouts: { attempt: 150 } })
  clearInterval(drip)
  expect([...outcomes.values()].map(({ kind }) => kind)).toEqual(['deferred'])
})

describe('nonsense', () => {
  const endlessLine = { raw: Buffer.alloc(1_000_000, '2') }
  const manyLines = { raw: '250-again\r\n'.repeat(200_000) }
  test.each<[string, Action, RegExp]>([
    ['HTTP', 'HTTP/1.1 400 Bad Request', /^not an SMTP reply: HTTP\/1.1 400/],
    ['a code that is none', '999 Hello', /^not an SMTP reply: 999/],
    ['zero octets', { raw: Buffer.alloc(100).fill('\0\r\n') }, /^not an SMTP reply/],
    ['two codes in one reply', '250-Yes\r\n550 No', /^a reply with the codes 250 and 550$/],
    ['an endless line', endlessLine, /^a reply line of more than 4 KiB$/],
    ['an endless reply', manyLines, /^a reply of more than 100 lines$/],
  ])('%s', async (_, action, expected) => {
    for (const step of ['greeting', 'hello', 'mail', 'rcpt', 'data', 'dot'] as const) {
      const hop = await start({ [step]: action })
      const [outcome] = (await deliverOnce({ to: hop.url })).values()
      expect([step, outcome?.kind, outcome?.reply]).toEqual([step, 'deferred', expect.stringMatching(expected)])
    }
  })

  test('replies that nobody asked for', async () => {
    const hop = await start({ greeting: { raw: `220 x\r\n${'250 Ok\r\n'.repeat(5000)}` } })
    const [outcome] = (await deliverOnce({ to: hop.url, content: contentOf('a: b\r\n\r\n') })).values()
    expect(outcome).toMatchObject({ kind: 'deferred', reply: 'more replies than commands' })
    expect(hop.messages).toEqual([])
  })
})

describe('a delivery that is called off', () => {
  async function calledOffAt(script: Script) {
    const stop = new AbortController()
    const reached = Promise.withResolvers<void>()
    const hop = await start({ ...script, mail: script.mail ?? '250 Ok' })
    const watch = setInterval(() => hop.connections[0]?.at(-1) === 'DATA' && reached.resolve(), 1)
    const deliverer = createDeliverer({ hostname: HOSTNAME, routes: [{ domains: ['*'], to: hop.url }] })
    const outcomes = deliverWith(deliverer, { signal: stop.signal })
    outcomes.catch(() => {})
    await reached.promise
    clearInterval(watch)
    return { hop, stop, outcomes, deliverer }
  }

  test('before the content rejects with the reason, without an outcome, and lets go of the next hop', async () => {
    const { hop, stop, outcomes, deliverer } = await calledOffAt({ mail: 'mute' })
    stop.abort(new Error('the lease was lost'))
    await expect(outcomes).rejects.toThrow('the lease was lost')
    await expect.poll(() => hop.open.size).toBe(0)
    expect(hop.messages).toEqual([])
    await deliverer.close()
  })

  test('behind the final dot waits for the answer, so that nothing is delivered twice', async () => {
    const { hop, stop, outcomes, deliverer } = await calledOffAt({ dot: 'silence' })
    await expect.poll(() => hop.messages.length).toBe(1)
    stop.abort(new Error('the lease was lost'))
    for (const socket of hop.open) socket.write('250 2.0.0 Ok\r\n')
    expect(told(await outcomes)).toEqual(['delivered: 250 2.0.0 Ok'])
    await deliverer.close()
  })

  test('before it began touches nobody', async () => {
    const hop = await start()
    await expect(deliverOnce({ to: hop.url, signal: AbortSignal.abort(new Error('off')) })).rejects.toThrow('off')
    expect(hop.connections).toEqual([])
  })
})

test('an outcome that cannot be written down is the caller’s error, after all others were handed over', async () => {
  const good = await start()
  const bad = await start()
  const routes = [
    { domains: ['good.example'], to: good.url },
    { domains: ['bad.example'], to: bad.url },
  ]
  const deliverer = createDeliverer({ hostname: HOSTNAME, routes })
  const { acceptedMessage, MAIL } = await import('./messages.ts')
  const recipients = ['a@bad.example', 'b@good.example']
  const seen: string[] = []
  const delivery = deliverer.deliver(
    { message: acceptedMessage(recipients), content: contentOf(MAIL), recipients, headers: [] },
    async ([outcome]) => {
      if (outcome?.recipient === 'a@bad.example') throw new Error('the disk is full')
      seen.push(outcome!.recipient)
    },
  )
  await expect(delivery).rejects.toThrow('the disk is full')
  expect(seen).toEqual(['b@good.example'])
  await deliverer.close()
})
