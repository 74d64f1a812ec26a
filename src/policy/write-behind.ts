// Updates of the policy store that nobody waits for: a client's answer does not depend on when they are written.
// Whoever reads a key again waits for what is on its way to it. A store that fails, or does not keep up, shows at the
// next question: `failing` is then true until a write succeeds.
import type { PolicyEntry, PolicyStore } from '../storage/policy-store.ts'

export type WriteBehind = Readonly<{
  get(space: string, key: string, now: number): Promise<PolicyEntry | undefined>
  update(...update: Parameters<PolicyStore['update']>): void
  failing(): boolean
  /** Resolves when nothing is on its way. */
  settle(): Promise<void>
}>

/** More than this on its way means that the store does not keep up. */
const MOST_PENDING = 10_000

export function createWriteBehind(store: PolicyStore, onFailure: (error: unknown) => void): WriteBehind {
  const pending = new Map<string, Promise<void>>()
  const nameOf = (space: string, key: string) => `${space}\0${key}`
  let failed = false

  return {
    async get(space, key, now) {
      await pending.get(nameOf(space, key))
      return await store.get(space, key, now)
    },

    update(space, key, now, change) {
      const name = nameOf(space, key)
      const write = (pending.get(name) ?? Promise.resolve())
        .then(() => store.update(space, key, now, change))
        .then(
          () => {
            failed = false
          },
          error => {
            failed = true
            onFailure(error)
          },
        )
        .finally(() => {
          if (pending.get(name) === write) pending.delete(name)
        })
      pending.set(name, write)
    },

    failing: () => failed || pending.size > MOST_PENDING,

    async settle() {
      await Promise.all(pending.values())
    },
  }
}
