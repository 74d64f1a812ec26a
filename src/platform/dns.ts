// Questions to the DNS with the three answers that a policy must tell apart: there is something, there is nothing, and
// nobody knows (SERVFAIL, time-out). Never rejects. Remembers nothing: policy/remembered-dns does, for a moment.
import { Resolver } from 'node:dns/promises'

export type DnsAnswer<T> =
  | Readonly<{ kind: 'found'; records: readonly T[] }>
  /** NXDOMAIN, or no records of that type. */
  | Readonly<{ kind: 'none' }>
  /** Unknown means later: nothing may be refused for good because of it. */
  | Readonly<{ kind: 'error'; why: string }>

export type MxRecord = Readonly<{ exchange: string; priority: number }>

export type Dns = Readonly<{
  a(name: string): Promise<DnsAnswer<string>>
  aaaa(name: string): Promise<DnsAnswer<string>>
  mx(name: string): Promise<DnsAnswer<MxRecord>>
  /** Each record's strings joined. */
  txt(name: string): Promise<DnsAnswer<string>>
  /** Names of an IP address. */
  ptr(address: string): Promise<DnsAnswer<string>>
}>

export type DnsOptions = Readonly<{
  /** `address` or `address:port`; empty: those of the system. */
  servers: readonly string[]
  /** Milliseconds for one question to one server; asked twice. */
  timeout: number
}>

export function createDns({ servers, timeout }: DnsOptions): Dns {
  const resolver = new Resolver({ timeout, tries: 2 })
  if (servers.length > 0) resolver.setServers(servers)
  return {
    a: name => answer(resolver.resolve4(name)),
    aaaa: name => answer(resolver.resolve6(name)),
    mx: name => answer(resolver.resolveMx(name)),
    txt: name => answer(resolver.resolveTxt(name).then(records => records.map(strings => strings.join('')))),
    ptr: address => answer(resolver.reverse(address)),
  }
}

const NOTHING_THERE = new Set(['ENOTFOUND', 'ENODATA', 'NXDOMAIN', 'EBADNAME'])

async function answer<T>(question: Promise<T[]>): Promise<DnsAnswer<T>> {
  try {
    const records = await question
    return records.length === 0 ? { kind: 'none' } : { kind: 'found', records }
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException
    return NOTHING_THERE.has(code) ? { kind: 'none' } : { kind: 'error', why: code || message }
  }
}
