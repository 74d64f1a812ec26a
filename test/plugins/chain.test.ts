// The order of plugins, their deadlines and their faults, as a session sees them.
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test, vi } from 'vitest'
import { reply, SmtpError } from '../../src/mail/reply.ts'
import { defer, type Plugin, pass, reject, tag } from '../../src/plugins/plugin.ts'
import { chained, outcomeText, view } from './chained.ts'

const later = '451 4.3.0 Temporary trouble here, try again later'

test('plugins are asked in their order, and only those that have the hook', async () => {
  const asked: string[] = []
  const noting = (name: string): Plugin => ({ sender: () => void asked.push(name) })
  const { chain, executions } = chained(noting('first'), { connect: () => pass }, noting('third'))
  expect(outcomeText(await chain.sender(view))).toBe('taken')
  expect(asked).toEqual(['first', 'third'])
  expect([await executions('a', 'pass'), await executions('b', 'pass'), await executions('c', 'pass')]).toEqual([
    1, 0, 1,
  ])
  expect([chain.asks('connect'), chain.asks('message')]).toEqual([true, false])
})

test('the first that refuses decides, and those behind it are not asked', async () => {
  const never = vi.fn(() => reject('Never'))
  const { chain, executions } = chained(
    { sender: () => undefined },
    { sender: async () => defer('Not on Sundays') },
    { sender: never },
  )
  expect(outcomeText(await chain.sender(view))).toBe('b: 451 4.7.1 Not on Sundays')
  expect(never).not.toHaveBeenCalled()
  expect([await executions('a', 'pass'), await executions('b', 'defer'), await executions('c', 'reject')]).toEqual([
    1, 1, 0,
  ])
})

test('what plugins find odd is gathered, and those behind them know of it', async () => {
  let known: readonly string[] = []
  const note = (suspicions: readonly string[]): undefined => {
    known = suspicions
  }
  const { chain, executions } = chained(
    { recipient: () => tag('no rDNS') },
    { recipient: async () => tag('on a list', [{ name: 'X-List', value: 'yes' }]) },
    { recipient: ({ suspicions }) => note(suspicions) },
  )
  const outcome = await chain.recipient({ ...view, suspicions: ['from before'] }, 'bob@example.com')
  expect(known).toEqual(['from before', 'no rDNS', 'on a list'])
  expect(outcome).toEqual({ suspicions: ['no rDNS', 'on a list'], headers: [{ name: 'X-List', value: 'yes' }] })
  expect(await executions('b', 'tag')).toBe(1)
})

test('hooks that need no waiting keep the session synchronous', () => {
  const { chain } = chained({ connect: () => pass }, { connect: () => tag('odd') })
  expect(chain.connect(view)).toEqual({ suspicions: ['odd'], headers: [] })
})

test('a header value that came from a client cannot become another header field', async () => {
  const { chain } = chained({ sender: () => tag('odd', [{ name: 'X-Helo', value: 'a\r\nBcc: eve@evil.example' }]) })
  const { headers } = await chain.sender(view)
  expect(headers).toEqual([{ name: 'X-Helo', value: 'a\r\n Bcc: eve@evil.example' }])
})

describe('a fault is 451, never an acceptance', () => {
  const raised = new Error('out of order')
  const faults: [what: string, hook: () => unknown][] = [
    [
      'throws',
      () => {
        throw raised
      },
    ],
    ['rejects', () => Promise.reject(raised)],
    [
      'throws what is no error',
      () => {
        throw 'string'
      },
    ],
    ['answers true', () => true],
    ['answers null', () => null],
    ['resolves with a string', async () => 'pass'],
    ['answers a decision that nobody knows', () => ({ decision: 'accept' })],
    ['rejects with a 250', () => ({ ...reject('No'), reply: { code: 250, enhancedCode: '2.0.0', text: 'Ok' } })],
    ['defers with a 550', () => ({ ...defer('No'), reply: { code: 550, enhancedCode: '5.0.0', text: 'No' } })],
    ['mixes the classes', () => ({ ...reject('No'), reply: { code: 550, enhancedCode: '4.0.0', text: 'No' } })],
    ['rejects without a text', () => ({ decision: 'reject', reply: { code: 550, enhancedCode: '5.7.1' }, why: 'no' })],
    ['rejects without a reason', () => ({ decision: 'reject', reply: reject('No') })],
    ['tags without header fields', () => ({ decision: 'tag', why: 'odd' })],
    ['tags with a field that is none', () => tag('odd', [{ name: 'Two words', value: 'x' }])],
    ['tags with a value that is none', () => tag('odd', [{ name: 'X-Odd', value: 1 as never }])],
  ]

  test.each(faults)('a hook that %s', async (_what, hook) => {
    const { chain, executions, logged } = chained(
      { sender: hook as Plugin['sender'] & {} },
      { sender: () => reject('x') },
    )
    expect(outcomeText(await chain.sender(view))).toBe(`a: ${later}`)
    expect(await executions('a', 'error')).toBe(1)
    expect(logged('plugin-failed')).toMatchObject([{ plugin: 'a', hook: 'sender' }])
  })

  test('a hook that hangs, and what it says later changes nothing', async () => {
    let answer = (_: ReturnType<typeof reject>) => {}
    const hanging = () => new Promise<ReturnType<typeof reject>>(resolve => (answer = resolve))
    const { chain, executions, logged } = chained({ sender: hanging, timeout: 5 })
    expect(outcomeText(await chain.sender(view))).toBe(`a: ${later}`)
    answer(reject('Too late'))
    await turn()
    expect([await executions('a', 'timeout'), await executions('a', 'reject')]).toEqual([1, 0])
    expect(logged('plugin-timeout')).toMatchObject([{ plugin: 'a', hook: 'sender', milliseconds: 5 }])
    expect(await executions('a', 'pass')).toBe(0)
  })

  test('a hook that fails after its deadline ends nothing', async () => {
    let fail = (_: Error) => {}
    const hanging = () => new Promise<undefined>((_, reject) => (fail = reject))
    const { chain, executions } = chained({ sender: hanging, timeout: 5 })
    await chain.sender(view)
    fail(new Error('late'))
    await turn()
    expect([await executions('a', 'timeout'), await executions('a', 'error')]).toEqual([1, 0])
  })

  test('an error that knows its reply is told as it wants', async () => {
    const failing = (code: number, enhancedCode: string) => () => {
      throw new SmtpError(reply(code, enhancedCode, 'The directory is away'))
    }
    const { chain } = chained({ sender: failing(450, '4.4.3'), recipient: failing(550, '5.1.1') })
    expect(outcomeText(await chain.sender(view))).toBe('a: 450 4.4.3 The directory is away')
    expect(outcomeText(await chain.recipient(view, 'bob@example.com'))).toBe('a: 550 5.1.1 The directory is away')
  })
})

describe('mode: log', () => {
  test('refuses nobody, tells what would have been, and passes it on as a suspicion', async () => {
    let known: readonly string[] = []
    const note = (suspicions: readonly string[]): undefined => {
      known = suspicions
    }
    const { chain, executions, logged } = chained(
      { mode: 'log', sender: async () => reject('Go away', { why: 'we know you' }) },
      { sender: ({ suspicions }) => note(suspicions) },
    )
    expect(await chain.sender(view)).toEqual({ suspicions: ['we know you'], headers: [] })
    expect(known).toEqual(['we know you'])
    expect(logged('would-refuse')).toEqual([
      {
        level: 30,
        event: 'would-refuse',
        queueId: 'Q1',
        client: '203.0.113.9',
        helo: 'mail.sender.test',
        reversePath: 'ann@sender.test',
        hook: 'sender',
        plugin: 'a',
        reply: '550 5.7.1 Go away',
        why: 'we know you',
      },
    ])
    expect([await executions('a', 'log'), await executions('a', 'reject')]).toEqual([1, 0])
  })

  test('a fault lets pass and is no suspicion', async () => {
    const { chain, executions } = chained(
      { mode: 'log', sender: () => Promise.reject(new Error('broken')) },
      { mode: 'log', timeout: 5, sender: () => new Promise(() => {}) },
    )
    expect(await chain.sender(view)).toEqual({ suspicions: [], headers: [] })
    expect([await executions('a', 'error'), await executions('b', 'timeout')]).toEqual([1, 1])
  })
})

test('every outcome stands at zero from the start, and hooks are timed', async () => {
  const { chain, executions, metric } = chained({ sender: () => pass })
  for (const outcome of ['pass', 'tag', 'reject', 'defer', 'log', 'error', 'timeout']) {
    expect(await executions('a', outcome), outcome).toBe(0)
  }
  await chain.sender(view)
  expect(await metric('elemta_plugin_execution_time_seconds_count{plugin="a"}')).toBe(1)
})

describe('close', () => {
  test('reaches every plugin, whatever the others do', async () => {
    const closed: string[] = []
    const { chain, logged } = chained(
      { close: () => Promise.reject(new Error('stuck')) },
      {
        close: () => {
          throw new Error('broken')
        },
      },
      { sender: () => pass },
      { close: () => void closed.push('last') },
    )
    await chain.close()
    expect(closed).toEqual(['last'])
    expect(logged('plugin-failed')).toMatchObject([
      { plugin: 'b', hook: 'close' },
      { plugin: 'a', hook: 'close' },
    ])
  })

  test('does not wait for a plugin that hangs', async () => {
    const { chain, logged } = chained({ timeout: 5, close: () => new Promise(() => {}) })
    await chain.close()
    expect(logged('plugin-timeout')).toMatchObject([{ plugin: 'a', hook: 'close' }])
  })
})
