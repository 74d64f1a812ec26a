// DNS answers remembered for a moment, and one question for all who ask the same at once: one client and one message ask
// the same names several times, and mail comes in bursts. The resolver behind it heeds the TTLs, but each question to it
// costs more than the rest of a decision; so an answer may be older than its TTL by that moment.
import { createAnswerCache } from './answer-cache.ts'
import type { Dns, DnsAnswer } from './dns.ts'

export type DnsCacheOptions = Readonly<{
  now: () => number
  /** Milliseconds that each kind of answer is kept; 0: it is not. */
  keep?: Readonly<Record<DnsAnswer<unknown>['kind'], number>>
  /** Answers of each type of record; the least recently used go first. */
  mostAnswers?: number
  /** Under way for each type of record; what is beyond is answered with an error. */
  mostQuestions?: number
}>

const KEEP = { found: 60_000, none: 30_000, error: 10_000 }

/** The same questions, never rejecting either. */
export function cachedDns(dns: Dns, options: DnsCacheOptions): Dns {
  const { now, keep = KEEP, mostAnswers = 4000, mostQuestions = Number.POSITIVE_INFINITY } = options

  function kept<T>(ask: (name: string) => Promise<DnsAnswer<T>>) {
    const cache = createAnswerCache<DnsAnswer<T>>({
      ask,
      lifetime: ({ kind }) => keep[kind],
      tooMany: () => ({ kind: 'error', why: 'too many DNS questions under way' }),
      mostAnswers,
      mostQuestions,
      now,
    })
    return (name: string) => cache(name.toLowerCase())
  }

  return { a: kept(dns.a), aaaa: kept(dns.aaaa), mx: kept(dns.mx), txt: kept(dns.txt), ptr: kept(dns.ptr) }
}
