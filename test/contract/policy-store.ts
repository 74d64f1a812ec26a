// The contract of the policy store port: what every adapter must do, on top of nothing but the port.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { PolicyEntry, PolicyStore } from '../../src/storage/policy-store.ts'

export type PolicyHome = Readonly<{
  /** A store on the same storage, also while others are open on it, as several ingresses have it. */
  open(): Promise<PolicyStore>
  dispose(): Promise<void>
}>

const AT = 1_700_000_000_000

/** One more than there was, for another second. */
const countUp = (current: PolicyEntry | undefined, now = AT) => ({
  value: { n: Number(current?.value.n ?? 0) + 1 },
  expiresAt: now + 1000,
})

export function policyStoreContract(makeHome: () => Promise<PolicyHome>): void {
  describe('policy store', () => {
    let home: PolicyHome
    let store: PolicyStore
    const opened: PolicyStore[] = []
    async function open() {
      const another = await home.open()
      opened.push(another)
      return another
    }
    beforeEach(async () => {
      home = await makeHome()
      store = await open()
    })
    afterEach(async () => {
      for (const one of opened.splice(0)) await one.close()
      await home.dispose()
    })
    const put = (space: string, key: string, expiresAt = AT + 1000) =>
      store.update(space, key, AT, () => ({ value: { key }, expiresAt }))
    const keys = async (space: string, query: { prefix?: string; after?: string; limit?: number } = {}, now = AT) =>
      (await store.list(space, { limit: 100, ...query }, now)).map(entry => entry.key)

    it('gives back what was put there, also after reopening', async () => {
      const value = { text: 'Ünï "quoted"\t', count: 7, ratio: 0.1, yes: true, no: false }
      const entry = { key: 'a key', value, expiresAt: AT + 1000 }
      expect(await store.get('space', 'a key', AT)).toBeUndefined()
      expect(await store.update('space', 'a key', AT, () => ({ value, expiresAt: AT + 1000 }))).toEqual(entry)
      expect(await store.get('space', 'a key', AT)).toEqual(entry)
      expect(await store.get('other', 'a key', AT)).toBeUndefined()
      expect(await store.get('space', 'A key', AT)).toBeUndefined()
      await opened.pop()?.close()
      store = await open()
      expect(await store.get('space', 'a key', AT)).toEqual(entry)
    })

    it('shows the change what stands there, and leaves it when the change wants nothing', async () => {
      expect(await store.update('space', 'key', AT, () => undefined)).toBeUndefined()
      expect(await store.get('space', 'key', AT)).toBeUndefined()
      await store.update('space', 'key', AT, countUp)
      const seen: unknown[] = []
      const stands = { key: 'key', value: { n: 1 }, expiresAt: AT + 1000 }
      expect(
        await store.update('space', 'key', AT, current => {
          seen.push(current)
          return undefined
        }),
      ).toEqual(stands)
      expect(seen).toEqual([stands])
      expect(await store.get('space', 'key', AT)).toEqual(stands)
    })

    it('takes what has expired for nothing', async () => {
      await store.update('space', 'key', AT, countUp)
      expect(await store.get('space', 'key', AT + 999)).toBeDefined()
      expect(await store.get('space', 'key', AT + 1000)).toBeUndefined()
      expect(await keys('space', {}, AT + 1000)).toEqual([])
      expect(await store.count('space', AT + 1000)).toBe(0)
      const again = await store.update('space', 'key', AT + 1000, current => countUp(current, AT + 1000))
      expect(again?.value).toEqual({ n: 1 })
      expect(await store.get('space', 'key', AT + 1999)).toEqual(again)
      expect(await store.count('space', AT + 1999)).toBe(1)
    })

    it('loses no change, whoever else changes the same entry', async () => {
      const stores = [store, await open(), await open()]
      const changes = Array.from({ length: 60 }, (_, n) => stores[n % 3]!.update('space', 'key', AT, countUp))
      const results = await Promise.all(changes)
      expect(new Set(results.map(result => result?.value.n)).size).toBe(60)
      for (const one of stores) expect((await one.get('space', 'key', AT))?.value).toEqual({ n: 60 })
    })

    it('lets a change that throws change nothing', async () => {
      await store.update('space', 'key', AT, countUp)
      const change = () => {
        throw new Error('no idea')
      }
      await expect(store.update('space', 'key', AT, change)).rejects.toThrow('no idea')
      expect((await store.get('space', 'key', AT))?.value).toEqual({ n: 1 })
    })

    it('removes, and says whether there was something', async () => {
      await put('space', 'key')
      await put('other', 'key')
      expect(await store.remove('space', 'key')).toBe(true)
      expect(await store.remove('space', 'key')).toBe(false)
      expect(await store.get('space', 'key', AT)).toBeUndefined()
      expect(await store.get('other', 'key', AT)).toBeDefined()
    })

    it('lists in the order of keys, by prefix and page by page', async () => {
      const all = ['a', 'a%', 'a_', 'ab', 'b', 'b\tx', 'b\ty', 'c', 'é', '\u{1f4e7}']
      for (const key of all.toReversed()) await put('space', key)
      await put('other', 'a')
      await put('space', 'ab-expired', AT)
      expect(await keys('space')).toEqual(all)
      expect(await keys('space', { prefix: 'a' })).toEqual(['a', 'a%', 'a_', 'ab'])
      expect(await keys('space', { prefix: 'a_' })).toEqual(['a_'])
      expect(await keys('space', { prefix: 'b\t' })).toEqual(['b\tx', 'b\ty'])
      expect(await keys('space', { prefix: 'a', limit: 2 })).toEqual(['a', 'a%'])
      expect(await keys('space', { prefix: 'a', after: 'a%', limit: 2 })).toEqual(['a_', 'ab'])
      expect(await keys('space', { prefix: 'a', after: 'ab' })).toEqual([])
      expect(await keys('space', { prefix: 'nothing' })).toEqual([])
    })

    it('counts and expires a space by itself, a few at a time', async () => {
      for (let n = 0; n < 10; n++) await put('space', `old ${n}`, AT + n)
      for (let n = 0; n < 3; n++) await put('space', `young ${n}`)
      await put('other', 'old', AT)
      expect(await store.count('space', AT + 500)).toBe(3)
      expect(await store.count('space', AT + 4)).toBe(8)
      expect(await store.count('nothing', AT)).toBe(0)
      expect(await store.expire('space', AT + 500, 4)).toHaveLength(4)
      expect(await store.expire('space', AT + 500, 100)).toHaveLength(6)
      expect(await store.expire('space', AT + 500, 100)).toEqual([])
      expect(await store.count('space', AT - 1)).toBe(3)
      expect(await keys('space', {}, AT - 1)).toEqual(['young 0', 'young 1', 'young 2'])
      expect(await store.count('other', AT - 1)).toBe(1)
    })

    it('shows one opening what another has written', async () => {
      const other = await open()
      await put('space', 'key')
      expect((await other.get('space', 'key', AT))?.value).toEqual({ key: 'key' })
      await other.remove('space', 'key')
      expect(await store.get('space', 'key', AT)).toBeUndefined()
    })
  })
}
