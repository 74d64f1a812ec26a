// SPF (RFC 7208) of a reverse-path's domain, by the library mailauth with our resolver and a deadline.
// Answers whether the domain speaks for the client, and nothing else: an error, a time-out, a soft fail and no record
// are all "not passed". Never rejects.
import { domainOf } from '../mail/envelope.ts'
import type { Dns, DnsAnswer } from '../platform/dns.ts'

export type SpfQuestion = Readonly<{
  dns: Dns
  /** IP address of the client. */
  client: string
  helo: string
  reversePath: string
  /** Our own host name. */
  hostname: string
  /** Milliseconds for all look-ups together. */
  timeout: number
}>

/** True when SPF of the reverse-path's domain passes; false for the null sender, which names no domain. */
export async function spfPasses(question: SpfQuestion): Promise<boolean> {
  const { dns, client, helo, reversePath, hostname, timeout } = question
  if (domainOf(reversePath) === '') return false
  const deadline = Promise.withResolvers<false>()
  let over = false
  const timer = setTimeout(() => {
    over = true
    deadline.resolve(false)
  }, timeout)
  async function resolver(name: string, type: string): Promise<string[] | string[][]> {
    if (over) throw unknown('the time is over')
    return lookUp(dns, client, name, type)
  }
  try {
    // 30 MB of libraries, which only those load who need them.
    const { spf } = await import('mailauth/lib/spf/index.js')
    const asked = spf({ sender: reversePath, ip: client, helo, mta: hostname, resolver })
    return await Promise.race([asked.then(({ status }) => status.result === 'pass'), deadline.promise])
  } catch {
    return false
  } finally {
    over = true
    clearTimeout(timer)
  }
}

/** As the library's resolver answers: records, or an error with the code of node:dns. */
async function lookUp(dns: Dns, client: string, name: string, type: string): Promise<string[] | string[][]> {
  switch (type) {
    case 'A':
      return records(await dns.a(name))
    case 'AAAA':
      return records(await dns.aaaa(name))
    case 'TXT':
      return records(await dns.txt(name)).map(text => [text])
    case 'MX':
      // The library's types know strings only, its code takes what node:dns gives.
      return records(await dns.mx(name)) as unknown as string[]
    case 'PTR':
      // Asked about the client alone.
      return records(await dns.ptr(client))
    default:
      throw unknown(`no such question: ${type}`)
  }
}

function records<T>(answer: DnsAnswer<T>): T[] {
  if (answer.kind === 'found') return [...answer.records]
  throw answer.kind === 'none' ? Object.assign(new Error('no records'), { code: 'ENODATA' }) : unknown(answer.why)
}

/** The one code that the library takes for a temporary error wherever it meets it, inside of an include too. */
function unknown(why: string): Error {
  return Object.assign(new Error(why), { code: 'ETIMEOUT' })
}
