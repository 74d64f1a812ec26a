// Updates of the policy store that nobody waits for: a client's answer does not depend on when they are written.
// The first update of a key is written at once; those that follow within a moment are written together, so that a busy
// client costs a few writes a second, not one for each message. Whoever reads a key meanwhile sees what will stand there.
// A store that fails shows at the next question: `failing` is then true until a write succeeds. One that does not keep
// up makes questions wait for it.
import type { PolicyEntry, PolicyStore } from '../storage/policy-store.ts'

export type WriteBehind = Readonly<{
  get(space: string, key: string, now: number): Promise<PolicyEntry | undefined>
  update(...update: Parameters<PolicyStore['update']>): void
  /** Resolves when there are not too many writes on their way; undefined when there are not. */
  room(): Promise<void> | undefined
  failing(): boolean
  /** Writes what waits and resolves when nothing is on its way. */
  settle(): Promise<void>
}>

type Change = Parameters<PolicyStore['update']>[3]

type Pending = {
  /** Not yet on their way. */
  changes: Change[]
  /** What will stand there; undefined when nothing is on its way, and the store knows. */
  expected: Promise<PolicyEntry | undefined> | undefined
  /** Time of the last change. */
  now: number
  /** Ends the moment after a write. */
  goOn: () => void
  done: Promise<void>
}

/** More writes than this on their way mean that the store does not keep up. */
const MOST_WRITING = 500
/** Milliseconds between two writes of a key. */
const MOMENT = 250

export function createWriteBehind(store: PolicyStore, onFailure: (error: unknown) => void): WriteBehind {
  const pending = new Map<string, Pending>()
  const nameOf = (space: string, key: string) => `${space}\0${key}`
  let failed = false
  let writing = 0
  const waiting: (() => void)[] = []
  let settling = false

  async function write(space: string, key: string, entry: Pending): Promise<void> {
    while (entry.changes.length > 0) {
      const changes = entry.changes.splice(0)
      writing++
      try {
        await store.update(space, key, entry.now, current => {
          const wanted = apply(changes, key, current)
          return wanted === current ? undefined : wanted
        })
        failed = false
      } catch (error) {
        failed = true
        onFailure(error)
      } finally {
        writing--
        if (writing < MOST_WRITING) waiting.shift()?.()
      }
      if (entry.changes.length === 0) entry.expected = undefined
      if (!settling) await moment(entry)
    }
    pending.delete(nameOf(space, key))
  }

  function moment(entry: Pending): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(() => entry.goOn(), MOMENT)
      entry.goOn = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  return {
    async get(space, key, now) {
      const expected = pending.get(nameOf(space, key))?.expected
      if (expected === undefined) return store.get(space, key, now)
      const entry = await expected
      return entry !== undefined && entry.expiresAt > now ? entry : undefined
    },

    update(space, key, now, change) {
      const name = nameOf(space, key)
      const known = pending.get(name)
      const entry = known ?? { changes: [], expected: undefined, now, goOn: () => {}, done: Promise.resolve() }
      const current = entry.expected ?? store.get(space, key, now)
      entry.expected = current.then(stands => apply([change], key, stands))
      entry.expected.catch(() => {}) // who asks is told
      entry.changes.push(change)
      const passed = now - entry.now
      entry.now = now
      if (known === undefined) {
        pending.set(name, entry)
        entry.done = write(space, key, entry)
      } else if (passed >= MOMENT) entry.goOn()
    },

    room: () => (writing < MOST_WRITING ? undefined : new Promise(resolve => waiting.push(resolve))),

    failing: () => failed,

    async settle() {
      settling = true
      for (const { goOn } of pending.values()) goOn()
      await Promise.all(Array.from(pending.values(), ({ done }) => done))
      settling = false
    },
  }
}

/** What stands there after these changes, one after the other; `current` itself when none of them changes it. */
function apply(changes: readonly Change[], key: string, current: PolicyEntry | undefined): PolicyEntry | undefined {
  return changes.reduce((entry, change) => {
    const wanted = change(entry)
    return wanted === undefined ? entry : { key, ...wanted }
  }, current)
}
