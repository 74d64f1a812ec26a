// One reading of a large content for several scanners, at the pace of the slowest: memory is bounded by the chunk on
// its way and one per scanner. A scanner that takes nothing for a while no longer holds the others up: it is left
// behind and reads the rest by itself, as does one that starts over.
import type { Content } from '../storage/message-store.ts'
import type { ScanContent } from './scanner.ts'

export type Branch = Readonly<{
  content: ScanContent
  /** Its scanner is done: nobody waits for it any more. */
  leave(): void
}>

export type FanOut = Readonly<{
  branches: readonly Branch[]
  /** Resolves when the reading is over; rejects when the content could not be read, also by a branch on its own. */
  done(): Promise<void>
}>

/** Milliseconds for which the others wait for a scanner. */
const PATIENCE = 250

type State = 'sharing' | 'left-behind' | 'gone'

/** Starts to read. Every branch must be left, however its scan ended. */
export function fanOut(content: Content, count: number): FanOut {
  let failure: Error | undefined
  const failed = (error: unknown) => {
    failure ??= error instanceof Error ? error : new Error(String(error))
    return failure
  }
  const read = () => checkedChunks(content, failed)
  const branches = Array.from({ length: count }, () => createBranch(content.size, read))
  const pump = (async () => {
    for await (const chunk of read()) {
      const sharing = branches.filter(branch => branch.state() === 'sharing')
      if (sharing.length === 0) break
      await Promise.all(sharing.map(branch => branch.offer(chunk)))
    }
  })().finally(() => {
    for (const branch of branches) branch.end(failure)
  })
  pump.catch(() => {}) // told by done()
  return {
    branches,
    async done() {
      await pump
      if (failure !== undefined) throw failure
    },
  }
}

/** A content that is shorter or longer than it says is damaged: a scanner must not see it as a whole message. */
async function* checkedChunks({ size, chunks }: Content, failed: (error: unknown) => Error): AsyncGenerator<Buffer> {
  try {
    let read = 0
    for await (const chunk of chunks()) {
      read += chunk.length
      if (read > size) break
      yield chunk
    }
    if (read !== size) throw new Error(`the content does not have the ${size} octets that it should have`)
  } catch (error) {
    throw failed(error)
  }
}

function createBranch(size: number, readAlone: () => AsyncGenerator<Buffer>) {
  let state: State = 'sharing'
  let ended = false
  let error: Error | undefined
  let slot: Buffer | undefined
  /** The scanner waits for a chunk; the reading waits until the chunk is taken. */
  let onOffer: (() => void) | undefined
  let onTaken: (() => void) | undefined
  let begun = false

  const settle = (next: State) => {
    if (state === 'sharing') state = next
    slot = undefined
    onTaken?.()
    onOffer?.()
  }

  async function* shared(): AsyncGenerator<Buffer> {
    let taken = 0
    for (;;) {
      if (slot === undefined && state === 'sharing' && !ended) await new Promise<void>(wake => (onOffer = wake))
      if (state !== 'sharing') break
      if (slot === undefined) {
        if (error !== undefined) throw error
        return
      }
      const chunk = slot
      slot = undefined
      taken += chunk.length
      onTaken?.()
      yield chunk
    }
    if (state === 'left-behind') yield* skipping(readAlone(), taken)
  }

  return {
    content: {
      size,
      chunks() {
        if (begun) return readAlone()
        begun = true
        return shared()
      },
    },
    leave: () => settle('gone'),
    state: () => state,

    /** Resolves when the chunk is taken, or nobody waits for this branch any more. */
    async offer(chunk: Buffer): Promise<void> {
      slot = chunk
      const taken = new Promise<void>(resolve => (onTaken = resolve))
      onOffer?.()
      const timer = setTimeout(() => settle('left-behind'), PATIENCE)
      await taken
      clearTimeout(timer)
      onTaken = undefined
    },

    end(because: Error | undefined) {
      ended = true
      error = because
      onOffer?.()
    },
  }
}

async function* skipping(chunks: AsyncGenerator<Buffer>, octets: number): AsyncGenerator<Buffer> {
  let left = octets
  for await (const chunk of chunks) {
    if (left < chunk.length) yield left === 0 ? chunk : chunk.subarray(left)
    left = Math.max(0, left - chunk.length)
  }
}
