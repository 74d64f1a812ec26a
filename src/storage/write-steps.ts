// `together` for a home where several writes are not one: the writes are called, tell what they are about, and are then done
// one after the other, in their order, except that those that can be done as one request are. When one fails those behind
// it are not begun, and everybody hears of it.
// A port's method takes part by calling `step` at once; outside of `together` it is done directly.

import type { Draft, MessageStore } from './message-store.ts'

/**
 * Several steps in one write. Resolves with what each resolves with, by its place among the steps (the first is 0), or
 * undefined when it cannot be done: then they are done one by one.
 */
export type Merged = () => Promise<ReadonlyMap<number, unknown> | undefined>

type Step<Intent> = Readonly<{
  intent: Intent | undefined
  run(): Promise<unknown>
  resolve(result: unknown): void
  reject(error: unknown): void
}>

export type WriteSteps<Intent> = Readonly<{
  /** `intent`: what may be merged with others. */
  step<T>(intent: Intent | undefined, run: () => Promise<T>): Promise<T>
  together(...writes: readonly (() => Promise<unknown>)[]): Promise<void>
}>

/** A message store whose writes take their turn. */
export function inTurns<M extends MessageStore>(messages: M, inTurn: <T>(run: () => Promise<T>) => Promise<T>): M {
  return {
    ...messages,
    draft(queueId) {
      const draft = messages.draft(queueId)
      return Object.assign(Object.create(draft) as Draft, { commit: () => inTurn(() => draft.commit()) })
    },
    remove: queueId => inTurn(() => messages.remove(queueId)),
  }
}

/** `merge` is asked with what is still to be done; it answers for the first of them, and others with it. */
export function createWriteSteps<Intent>(
  merge: (intents: readonly (Intent | undefined)[]) => Merged | undefined,
): WriteSteps<Intent> {
  let collecting: Step<Intent>[] | undefined

  async function doAll(steps: readonly Step<Intent>[]): Promise<void> {
    let left = steps
    try {
      while (left.length > 0) {
        const results = await merge(left.map(({ intent }) => intent))?.()
        if (results !== undefined) {
          for (const [place, result] of results) left[place]!.resolve(result)
          left = left.filter((_, place) => !results.has(place))
          continue
        }
        const [first, ...rest] = left
        first!.resolve(await first!.run())
        left = rest
      }
    } catch (error) {
      for (const { reject } of left) reject(error)
    }
  }

  return {
    step<T>(intent: Intent | undefined, run: () => Promise<T>): Promise<T> {
      if (collecting === undefined) return run()
      const { promise, resolve, reject } = Promise.withResolvers<T>()
      collecting.push({ intent, run, resolve: result => resolve(result as T), reject })
      return promise
    },

    async together(...writes) {
      const steps: Step<Intent>[] = []
      const begun: Promise<unknown>[] = []
      collecting = steps
      try {
        for (const write of writes) begun.push(write())
      } catch (error) {
        for (const { reject } of steps) reject(error)
        await Promise.allSettled(begun)
        throw error
      } finally {
        collecting = undefined
      }
      await Promise.all([doAll(steps), Promise.allSettled(begun)])
      await Promise.all(begun)
    },
  }
}
