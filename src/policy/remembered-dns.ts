// DNS answers remembered for a moment, for all policies together: one client and one message ask the same names several
// times, and mail comes in bursts from the same domains. A resolver nearby has them too, but each question to it costs
// more than the rest of a policy. An answer may so be older than its TTL by that moment; errors are not remembered.
import type { Dns, DnsAnswer } from '../platform/dns.ts'
import { createAnswerCache } from './answer-cache.ts'

/** Milliseconds. */
const BELIEVED = 60_000
/** A name that was just made must not wait long. */
const ABSENCE_BELIEVED = 10_000
/** Of each type. */
const MOST_QUESTIONS = 2000

export function createRememberedDns(dns: Dns, now: () => number): Dns {
  const remembered = <T>(ask: (name: string) => Promise<DnsAnswer<T>>) =>
    createAnswerCache<DnsAnswer<T>>({
      ask,
      lifetime: ({ kind }) => lifetimeOf(kind),
      tooMany: () => ({ kind: 'error', why: 'too many DNS questions under way' }),
      mostQuestions: MOST_QUESTIONS,
      now,
    })
  return {
    a: remembered(dns.a),
    aaaa: remembered(dns.aaaa),
    mx: remembered(dns.mx),
    txt: remembered(dns.txt),
    ptr: remembered(dns.ptr),
  }
}

function lifetimeOf(kind: DnsAnswer<unknown>['kind']): number {
  switch (kind) {
    case 'found':
      return BELIEVED
    case 'none':
      return ABSENCE_BELIEVED
    case 'error':
      return 0
  }
}
