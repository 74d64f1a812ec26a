// Our name for one accepted message: minted at MAIL, first in every log line, part of every key.
// Sorts by time of acceptance and cannot be guessed (S3 keys and console links contain it).
import { randomBytes } from 'node:crypto'

/** Crockford's alphabet: no I, L, O, U, so an id survives being read out over the telephone. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const TIME_DIGITS = 9
const RANDOM_DIGITS = 11
/** Octets asked of the system at once: each asking costs more than an id. */
const POOL = 4096
let pool = Buffer.alloc(0)
let poolAt = 0

/** True for strings of the form that `mintQueueId` returns; the guard before an id becomes a path. */
export function isQueueId(text: string): boolean {
  return /^[0-9A-HJKMNP-TV-Z]{20}$/.test(text)
}

/** A new queue id: 20 characters, 9 for `now` (milliseconds since 1970), 11 (55 bits) random. */
export function mintQueueId(now: number): string {
  const time = timePrefix(now)
  if (poolAt + RANDOM_DIGITS > pool.length) {
    pool = randomBytes(POOL)
    poolAt = 0
  }
  let random = ''
  for (const end = poolAt + RANDOM_DIGITS; poolAt < end; poolAt++) random += ALPHABET[pool[poolAt]! & 31]
  return time + random
}

/** What queue ids begin with that were minted at `now`: those minted before sort before it, all others after it. */
export function timePrefix(now: number): string {
  let time = ''
  let rest = now
  for (let digit = 0; digit < TIME_DIGITS; digit++) {
    time = ALPHABET[rest % 32] + time
    rest = Math.floor(rest / 32)
  }
  return time
}
