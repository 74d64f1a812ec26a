// Passwords at rest: scrypt (RFC 7914) as a PHC string, `$scrypt$ln=14,r=8,p=5$SALT$HASH`, which other programs read too.
// Runs on the thread pool, never on the event loop; compares in constant time. A hash whose cost is beyond all reason is
// no hash: a line in a file must not be able to take the machine's memory.
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'

/** `ln` is the binary logarithm of N. Memory is 128 * N * r octets, time grows with N * r * p. */
export type ScryptCost = Readonly<{ ln: number; r: number; p: number }>

export type PasswordHash = ScryptCost & Readonly<{ salt: Buffer; hash: Buffer }>

/** 16 MiB and about 0.2 s: little memory, since several run at once, and more rounds in exchange. */
export const DEFAULT_COST: ScryptCost = { ln: 14, r: 8, p: 5 }

const SALT_OCTETS = 16
const HASH_OCTETS = 32
const MOST_MEMORY = 256 * 1024 * 1024
const MOST_WORK = 2 ** 25

/** A new hash with a salt of its own, as text. */
export async function hashPassword(password: string, cost: ScryptCost = DEFAULT_COST): Promise<string> {
  const salt = randomBytes(SALT_OCTETS)
  const hash = await derive(password, { ...cost, salt, hash: Buffer.alloc(HASH_OCTETS) })
  return `$scrypt$ln=${cost.ln},r=${cost.r},p=${cost.p}$${base64(salt)}$${base64(hash)}`
}

/** Undefined when the text is no scrypt hash, or one that would cost too much to check. */
export function parsePasswordHash(text: string): PasswordHash | undefined {
  const match = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]{6,86})\$([A-Za-z0-9+/]{22,86})$/.exec(
    text,
  )
  if (match === null) return undefined
  const [ln = 0, r = 0, p = 0] = match.slice(1, 4).map(Number)
  const affordable = 128 * 2 ** ln * r <= MOST_MEMORY && 2 ** ln * r * p <= MOST_WORK
  if (ln < 1 || r < 1 || p < 1 || !affordable) return undefined
  return { ln, r, p, salt: Buffer.from(match[4]!, 'base64'), hash: Buffer.from(match[5]!, 'base64') }
}

export async function verifyPassword(password: string, expected: PasswordHash): Promise<boolean> {
  return timingSafeEqual(await derive(password, expected), expected.hash)
}

/** A hash of no password that takes as long to check as any other of this cost: for users that do not exist. */
export function decoyHash({ ln, r, p }: ScryptCost): PasswordHash {
  return { ln, r, p, salt: randomBytes(SALT_OCTETS), hash: randomBytes(HASH_OCTETS) }
}

function derive(password: string, { ln, r, p, salt, hash }: PasswordHash): Promise<Buffer> {
  // One form for what looks the same: keyboards differ in how they compose an é (RFC 8265 §4.2.2).
  const octets = Buffer.from(password.normalize('NFC'), 'utf8')
  return new Promise((resolve, reject) => {
    const options = { N: 2 ** ln, r, p, maxmem: 2 * MOST_MEMORY }
    scrypt(octets, salt, hash.length, options, (error, key) => (error === null ? resolve(key) : reject(error)))
  })
}

function base64(octets: Buffer): string {
  return octets.toString('base64').replace(/=+$/, '')
}
