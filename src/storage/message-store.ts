// Port: contents of messages, as received (line ends normalised), never changed after they are stored.
// Adapters: message-store-disk. Every adapter passes test/contract/message-store.ts.

/** A stored content; may be read again and again. */
export type Content = Readonly<{
  /** Octets. */
  size: number
  /** The octets in order. Throws ContentMissingError when they are gone. */
  chunks(): AsyncIterable<Buffer>
}>

/** A content that is being received. Nothing of it is visible until `commit`; a crash leaves nothing behind that counts. */
export interface Draft {
  /** Octets so far. */
  readonly size: number
  /** The first octets (at least 64 KiB where there are so many): enough for the header section. */
  readonly head: Buffer
  /** Takes a chunk, which must not be changed afterwards. A returned promise asks the caller to wait: back-pressure. */
  write(chunk: Buffer): Promise<void> | undefined
  /** No more chunks. Resolves when everything is on stable storage that `commit` will not bring there itself. */
  seal(): Promise<void>
  /** What was received, for whoever must see it before it counts. Only between `seal` and `discard`. */
  content(): Content
  /** Makes the content visible; durable when it resolves. Only after `seal`; at most once. */
  commit(): Promise<void>
  /** Gives everything back. Harmless at any time, also after `commit` failed. */
  discard(): Promise<void>
}

export interface MessageStore {
  /** Starts a content under a fresh queue id. */
  draft(queueId: string): Draft
  /** Rejects with ContentMissingError when there is none. */
  open(queueId: string): Promise<Content>
  /** Removing what is not there is fine. */
  remove(queueId: string): Promise<void>
  /** False when no new content could be kept now, for want of room. */
  hasRoom(): Promise<boolean>
  /** All stored contents, for the sweep of those that no record names. */
  list(): AsyncIterable<string>
}

export class ContentMissingError extends Error {
  override readonly name = 'ContentMissingError'
  constructor(queueId: string) {
    super(`the message store has no content for ${queueId}`)
  }
}
