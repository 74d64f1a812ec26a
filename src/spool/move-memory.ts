// Brings what policies remember from one home to another: who has passed greylisting, whose logins failed, which
// signatures are ignored. A copy: nothing is taken away, and it may be done again. Where both homes remember something the
// entry that lasts longer stands, since each use of one makes it last longer.
import type { PolicyStore } from '../storage/policy-store.ts'

export type MemoryParts = Readonly<{
  source: PolicyStore
  target: PolicyStore
  /** Those that are remembered in. */
  spaces: readonly string[]
  now: () => number
}>

const PAGE = 200
const SIDE_BY_SIDE = 20

/** How many entries the target has now that it did not have. Rejects where a store fails: what was copied stays. */
export async function copyMemory({ source, target, spaces, now }: MemoryParts): Promise<number> {
  let copied = 0
  for (const space of spaces) {
    for (let after = ''; ; ) {
      const page = await source.list(space, { after, limit: PAGE }, now())
      for (let from = 0; from < page.length; from += SIDE_BY_SIDE) {
        await Promise.all(
          page.slice(from, from + SIDE_BY_SIDE).map(async ({ key, value, expiresAt }) => {
            let isNew = false
            await target.update(space, key, now(), current => {
              isNew = current === undefined || current.expiresAt < expiresAt
              return isNew ? { value, expiresAt } : undefined
            })
            if (isNew) copied++
          }),
        )
      }
      if (page.length < PAGE) break
      after = page.at(-1)!.key
    }
  }
  return copied
}
