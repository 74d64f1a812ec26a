// What a report shows of the message that it is about: all of it where that was asked for and is not too much, else
// its header; and whether that message is a report or an automatic answer itself.
import { fieldsOf, headerLength, valuesOf } from '../mail/header.ts'
import type { Content } from '../storage/message-store.ts'
import type { Original } from './dsn-message.ts'

/** Octets of a message that is returned whole, and of a header section; of a longer one the first fields. */
export const LARGEST_RETURNED = 50 * 1024

/** Rejects with what reading the content does. */
export async function readOriginal(content: Content, whole: boolean): Promise<Original> {
  const octets = await beginningOf(content, LARGEST_RETURNED + 1)
  if (whole && content.size <= LARGEST_RETURNED) return { octets, part: 'message' }
  const end = headerLength(octets)
  return { octets: octets.subarray(0, end <= LARGEST_RETURNED ? end : endOfFields(octets)), part: 'header' }
}

async function beginningOf(content: Content, length: number): Promise<Buffer> {
  const pieces: Buffer[] = []
  let size = 0
  for await (const chunk of content.chunks()) {
    pieces.push(chunk)
    size += chunk.length
    if (size >= length) break
  }
  return Buffer.concat(pieces).subarray(0, length)
}

/** The last field may go on behind what was read: it is left out. */
function endOfFields(octets: Buffer): number {
  return [...fieldsOf(octets)].at(-1)?.start ?? 0
}

/** A report (RFC 6522), or something that answers by itself (RFC 3834 §5): telling it of anything begins a loop. */
export function isReport({ octets }: Original): boolean {
  const header = octets.subarray(0, headerLength(octets))
  const is = (name: string, pattern: RegExp) => valuesOf(header, name).some(value => pattern.test(value))
  return is('content-type', /^multipart\/report\b/i) || is('auto-submitted', /^auto-(?:replied|notified)\b/i)
}
