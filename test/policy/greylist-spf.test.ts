// Greylisting by sender domain, and those that SPF exempts; the records of the DNS are given.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { greylistHome, type Home, MINUTE, type Zone } from './greylist-home.ts'

let home: Home
beforeEach(async () => {
  home = await greylistHome()
})
afterEach(() => home.dispose())

const DEFERRED = '451 4.7.1 Greylisted, try again in 300 seconds'

const zone: Zone = {
  txt: {
    'big.example': ['unrelated', 'v=spf1 include:_spf.big.example mx -all'],
    '_spf.big.example': ['v=spf1 ip4:192.0.2.0/24 ip4:198.51.100.0/24 ip6:2001:db8::/32 ~all'],
    'soft.example': ['v=spf1 ~all'],
    'broken.example': ['v=spf1 include:silent.example +all'],
    'silent.example': 'error',
  },
  mx: { 'big.example': [{ exchange: 'mx.big.example', priority: 10 }] },
  a: { 'mx.big.example': ['203.0.113.25'] },
  aaaa: {},
}

describe('key: spf', () => {
  it('takes all hosts of a sender domain for the same client', async () => {
    const { say } = await home.start({ key: 'spf' }, { zone })
    expect(await say({ sender: 'a@big.example', from: '192.0.2.7' })).toBe(DEFERRED)
    home.pass(5 * MINUTE)
    expect(await say({ sender: 'a@big.example', from: '198.51.100.7' })).toBe('pass')
    expect(await say({ sender: 'a@big.example', from: '2001:db8::25' })).toBe('pass')
    expect(await say({ sender: 'a@big.example', from: '203.0.113.25' })).toBe('pass')
    expect(await say({ sender: 'a@big.example', from: '203.0.113.26' })).toBe(DEFERRED)
  })

  it.each(['soft.example', 'none.example', 'silent.example', 'broken.example'])(
    'takes the network where SPF does not pass: %s',
    async domain => {
      const { say } = await home.start({ key: 'spf' }, { zone })
      const sender = `a@${domain}`
      expect(await say({ sender, from: '192.0.2.7' })).toBe(DEFERRED)
      home.pass(5 * MINUTE)
      expect(await say({ sender, from: '198.51.100.7' })).toBe(DEFERRED)
      expect(await say({ sender, from: '192.0.2.8' })).toBe('pass')
    },
  )

  it('takes the network of the null sender, and asks nobody', async () => {
    const { say, asked } = await home.start({ key: 'spf' }, { zone })
    expect(await say({ sender: '', from: '192.0.2.7' })).toBe(DEFERRED)
    home.pass(5 * MINUTE)
    expect(await say({ sender: '', from: '192.0.2.8' })).toBe('pass')
    expect(asked).toEqual([])
  })

  it('asks once for a message, however many recipients it has', async () => {
    const { say, asked } = await home.start({ key: 'spf' }, { zone })
    for (const name of ['a', 'b', 'c']) {
      await say({ sender: 'a@big.example', to: `${name}@example.com`, queueId: 'one' })
    }
    expect(asked).toEqual(['txt big.example', 'txt _spf.big.example'])
  })
})

describe('spf_allow', () => {
  it('exempts the listed domains where their SPF passes, and asks for no others', async () => {
    const { say, asked, metrics } = await home.start({ spf_allow: ['big.example', '*.soft.example'] }, { zone })
    expect(await say({ sender: 'a@big.example', from: '192.0.2.7' })).toBe('pass')
    expect(await say({ sender: 'a@big.example', from: '203.0.113.26' })).toBe(DEFERRED)
    expect(await metrics()).toMatchObject({ 'passed_total{reason="spf"}': 1 })
    asked.splice(0)
    expect(await say({ sender: 'a@soft.example' })).toBe(DEFERRED)
    expect(await say({ sender: 'a@other.example' })).toBe(DEFERRED)
    expect(asked).toEqual([])
  })

  it('takes a question that nobody answers for no pass', async () => {
    const silent: Zone = { ...zone, txt: { ...zone.txt, '_spf.big.example': 'error' } }
    const { say } = await home.start({ spf_allow: ['*'] }, { zone: silent })
    expect(await say({ sender: 'a@big.example', from: '192.0.2.7' })).toBe(DEFERRED)
  })
})
