// A message as an operator may safely look at it: text, never rendered. It is read in a thread of its own that has
// little memory and little time, so that no message can hurt the gateway. Rejects only when the content cannot be
// read; a message that cannot be shown is one of which nothing but the reason is.
import { Worker } from 'node:worker_threads'
import type { Content } from '../storage/message-store.ts'
import type { MessageView } from './message-parts.ts'

export type { MessageView, ViewedPart } from './message-parts.ts'

/** Octets that are looked at. */
const MOST_OCTETS = 8 * 1024 * 1024
/** Milliseconds. */
const PATIENCE = 5000
const MEMORY = 192

export async function viewMessage(content: Content, patience = PATIENCE): Promise<MessageView> {
  const octets = await beginningOf(content)
  const view = await readAside(octets, patience)
  const left = content.size - octets.length
  return left > 0 ? { ...view, notes: [...view.notes, `${left} octets were not looked at`] } : view
}

async function beginningOf({ chunks }: Content): Promise<Uint8Array> {
  const parts: Buffer[] = []
  let size = 0
  for await (const chunk of chunks()) {
    parts.push(chunk.subarray(0, MOST_OCTETS - size))
    size += parts.at(-1)!.length
    if (size === MOST_OCTETS) break
  }
  return Buffer.concat(parts)
}

function readAside(octets: Uint8Array, patience: number): Promise<MessageView> {
  return new Promise(resolve => {
    const worker = new Worker(new URL('message-view-thread.ts', import.meta.url), {
      workerData: octets,
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: MEMORY, maxYoungGenerationSizeMb: 32 },
    })
    const timer = setTimeout(() => end(cannot('it took too long')), patience)
    function end(view: MessageView): void {
      clearTimeout(timer)
      resolve(view)
      void worker.terminate()
    }
    worker.once('message', end)
    worker.once('error', error => end(cannot(error.message)))
    worker.once('exit', () => end(cannot('its reader ended early')))
  })
}

function cannot(why: string): MessageView {
  return { header: [], parts: [], notes: [`the message cannot be shown: ${why}`] }
}
