// Recipients as a list names them: `user@example.com`, or `@example.com` for all of a domain. Upper and lower case are
// the same. Pure; what is no recipient throws an Error that names the place.
import { canonicalDomain, parseForwardPath } from '../mail/address.ts'
import { domainOf } from '../mail/envelope.ts'

export type RecipientList = (recipient: string) => boolean

/** A list out of entries; `place` is where entry `n` stands, for the error. */
export function createRecipientList(entries: Iterable<string>, place: (n: number) => string): RecipientList {
  const list = new Set<string>()
  let n = 0
  for (const entry of entries) {
    const canonical = canonicalEntry(entry)
    if (canonical === undefined) {
      throw new Error(`${place(n)}: "${entry}" is no recipient (user@example.com, @example.com)`)
    }
    list.add(canonical)
    n++
  }
  return recipient => list.has(recipient.toLowerCase()) || list.has(`@${domainOf(recipient)}`)
}

function canonicalEntry(entry: string): string | undefined {
  if (entry.startsWith('@')) {
    const domain = canonicalDomain(entry.slice(1))
    return domain && `@${domain}`
  }
  const parsed = parseForwardPath(entry, true)
  return parsed.ok && parsed.address.includes('@') ? parsed.address.toLowerCase() : undefined
}

/** Regular expressions, each for a whole address. Throws Error on one that is none. */
export function createRecipientPatterns(patterns: readonly string[]): RecipientList {
  const compiled = patterns.map((pattern, n) => {
    try {
      new RegExp(pattern) // alone first: `a)|(b` would become one in the brackets
      return new RegExp(`^(?:${pattern})$`, 'i')
    } catch (error) {
      throw new Error(`recipients: patterns[${n}]: ${(error as Error).message}`)
    }
  })
  return recipient => compiled.some(pattern => pattern.test(recipient))
}
