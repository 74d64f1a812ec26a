// The content of one message on its way from DATA into a draft: back-pressure, size, and what must not come in.
// As soon as the message is to be refused its draft is given back and nothing more is stored; the rest is only read
// to find the end. Nothing here throws on input or on a failing store: the refusal says what was wrong.
import { type Reply, reply, replyForError, tryAgainLater } from '../mail/reply.ts'
import type { Log } from '../platform/log.ts'
import type { Draft } from '../storage/message-store.ts'
import { createDataReader } from './data-reader.ts'

export type BareNewline = 'normalize' | 'reject'

export type Reception = {
  readonly draft: Draft
  /** Why the message will be refused; undefined as long as all is well. */
  refusal: Reply | undefined
  /** So much came in after a refusal that waiting for the end of it is no use: cut the connection. */
  endless: boolean
  /** Takes octets from the client; returns how many belong to DATA when it ends among them, else -1. */
  push(octets: Buffer): number
  /** Resolves when the draft has room again; undefined when it has. Never rejects. */
  room(): Promise<void> | undefined
  /** Gives the draft back for good. */
  abandon(): void
}

type Settings = Readonly<{
  queueId: string
  messageSize: number
  bareNewline: BareNewline
  /** How long the store may keep a client waiting, in milliseconds. */
  answerTimeout: number
  log: Log
}>

/** Postfix and Exchange know the first as 5.6.11, which the registry lacks; it says exactly what is wrong. */
const bareLfRefused = reply(550, '5.6.11', 'Message has a line that does not end in CRLF')
const bareCrRefused = reply(550, '5.6.11', 'Message has a CR without LF')
const nulRefused = reply(550, '5.6.0', 'Message has a NUL octet')

export function tooLarge(messageSize: number): Reply {
  return reply(552, '5.3.4', `Message is larger than ${messageSize} octets`)
}

/** Octets beyond twice the limit that are still read for the sake of an orderly refusal. */
const SLACK = 64 * 1024

export function startReception(draft: Draft, settings: Settings): Reception {
  const { queueId, messageSize, bareNewline, answerTimeout, log } = settings
  const reader = createDataReader(store)
  let received = 0
  let writes: Promise<void>[] = []
  const reception: Reception = { draft, refusal: undefined, endless: false, push, room, abandon }
  return reception

  function store(piece: Buffer): void {
    if (reception.refusal !== undefined) return
    if (reader.size > messageSize) {
      refuse(tooLarge(messageSize))
      return
    }
    try {
      const write = draft.write(piece)
      if (write !== undefined) writes.push(write.catch(failed))
    } catch (error) {
      failed(error)
    }
  }

  function push(octets: Buffer): number {
    const end = reader.push(octets)
    received += end === -1 ? octets.length : end
    if (reader.nul) refuse(nulRefused)
    if (reader.bareCr) refuse(bareCrRefused)
    if (reader.bareLf && bareNewline === 'reject') refuse(bareLfRefused)
    if (received > 2 * messageSize + SLACK) reception.endless = true
    return end
  }

  function room(): Promise<void> | undefined {
    if (writes.length === 0 || reception.refusal !== undefined) return undefined
    const all = Promise.all(writes)
    writes = []
    return new Promise(resolve => {
      const timer = setTimeout(() => {
        log.error({ queueId, milliseconds: answerTimeout }, 'store-stalled')
        refuse(tryAgainLater)
        resolve()
      }, answerTimeout)
      void all.then(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  function failed(error: unknown): void {
    log.error({ queueId, err: error }, 'store-failed')
    refuse(replyForError(error))
  }

  function refuse(refusal: Reply): void {
    if (reception.refusal !== undefined) return
    reception.refusal = refusal
    abandon()
  }

  function abandon(): void {
    writes = []
    draft.discard().catch(error => log.warn({ queueId, err: error }, 'discard-failed'))
  }
}
