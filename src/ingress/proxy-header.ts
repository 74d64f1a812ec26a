// The PROXY header: the first octets of a load balancer's connection, saying who the client is. Read before anything
// else, the TLS handshake included. Pure over octets; input never throws, and at most one header is kept.
// Who may send one is the caller's question: a header taken from a stranger is a forged address.
import { parseProxyV1, startsV1 } from './proxy-header-v1.ts'
import { parseProxyV2, startsV2 } from './proxy-header-v2.ts'

export type ProxyProgress =
  | Readonly<{ state: 'more' }>
  /** `why` is for the log: what was sent is no header, and the connection must be closed without a word. */
  | Readonly<{ state: 'refused'; why: string }>
  /** No `client`: the load balancer speaks for itself (a health check) or does not know; its own address counts. */
  | Readonly<{ state: 'done'; client: ProxiedClient | undefined; rest: Buffer }>

/** `address` in its one spelling, IPv4-mapped ones as plain IPv4. */
export type ProxiedClient = Readonly<{ address: string; port: number }>

const more: ProxyProgress = { state: 'more' }

/** Give it each octet once, in order, until it is no longer `more`; `rest` is what came behind the header. */
export function createProxyReader(): (input: Buffer) => ProxyProgress {
  let header: Buffer = Buffer.alloc(0)
  return input => {
    header = header.length === 0 ? input : Buffer.concat([header, input])
    if (header.length === 0) return more
    if (startsV1(header)) return parseProxyV1(header)
    if (startsV2(header)) return parseProxyV2(header)
    return { state: 'refused', why: 'no PROXY header' }
  }
}
