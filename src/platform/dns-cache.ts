// Answers of the DNS kept for a short fixed time, and one question for all who ask the same at once. The resolver
// behind it heeds the TTLs; this saves the way to it for a burst of mail. Bounded: the oldest answers go first.
import type { Dns, DnsAnswer } from './dns.ts'

export type DnsCacheOptions = Readonly<{
  now: () => number
  /** Milliseconds that each kind of answer is kept. */
  keep?: Readonly<Record<DnsAnswer<unknown>['kind'], number>>
  most?: number
}>

const KEEP = { found: 60_000, none: 30_000, error: 10_000 }

/** The same questions, never rejecting either. */
export function cachedDns(dns: Dns, { now, keep = KEEP, most = 20_000 }: DnsCacheOptions): Dns {
  const answers = new Map<string, { answer: Promise<unknown>; askedAt: number; keep: number }>()

  function kept<T>(type: string, ask: (name: string) => Promise<DnsAnswer<T>>) {
    return (name: string): Promise<DnsAnswer<T>> => {
      const key = `${type} ${name.toLowerCase()}`
      const known = answers.get(key)
      if (known !== undefined && Math.abs(now() - known.askedAt) < known.keep) {
        return known.answer as Promise<DnsAnswer<T>>
      }
      const answer = ask(name)
      const entry = { answer, askedAt: now(), keep: Number.POSITIVE_INFINITY }
      answers.delete(key)
      answers.set(key, entry)
      if (answers.size > most) answers.delete(answers.keys().next().value!)
      void answer.then(({ kind }) => {
        entry.askedAt = now()
        entry.keep = keep[kind]
      })
      return answer
    }
  }

  return {
    a: kept('A', dns.a),
    aaaa: kept('AAAA', dns.aaaa),
    mx: kept('MX', dns.mx),
    txt: kept('TXT', dns.txt),
    ptr: kept('PTR', dns.ptr),
  }
}
