// Fetches a domain's MTA-STS policy file (RFC 8461 §3.3): over HTTPS with a certificate for mta-sts.DOMAIN, without
// following redirects, bounded in time and size. The address is looked up and checked here, because the name belongs to
// a stranger: nobody may send us to our own network. Rejects with an Error that says what went wrong.
import { request } from 'node:https'
import type { Dns } from '../platform/dns.ts'

export type PolicyFetch = (domain: string) => Promise<string>

export type PolicyFetchOptions = Readonly<{
  dns: Dns
  mayConnect(address: string): boolean
  /** 443 unless given. */
  port?: number
  /** PEM of an authority to trust instead of the system's. */
  ca?: string
  /** Milliseconds for all of it. */
  timeout?: number
}>

const MOST_OCTETS = 65_536
const TIMEOUT = 10_000

export function createPolicyFetch(options: PolicyFetchOptions): PolicyFetch {
  const { dns, mayConnect, port = 443, ca, timeout = TIMEOUT } = options

  async function addressOf(name: string): Promise<string> {
    const [v4, v6] = await Promise.all([dns.a(name), dns.aaaa(name)])
    const addresses = [v4, v6].flatMap(answer => (answer.kind === 'found' ? answer.records : []))
    const address = addresses.find(mayConnect)
    if (address === undefined) throw new Error(`${name} has no ${addresses.length > 0 ? 'public ' : ''}address`)
    return address
  }

  return async domain => {
    const name = `mta-sts.${domain}`
    const host = await addressOf(name)
    return await new Promise((resolve, reject) => {
      const asked = request({
        host,
        port,
        servername: name,
        path: '/.well-known/mta-sts.txt',
        headers: { host: name, accept: 'text/plain' },
        agent: false,
        signal: AbortSignal.timeout(timeout),
        ...(ca !== undefined && { ca }),
      })
      const giveUp = (why: string) => {
        asked.destroy()
        reject(new Error(why))
      }
      asked.on('error', error => giveUp(`${name}: ${error.message}`))
      asked.on('response', response => {
        const { statusCode, headers } = response
        if (statusCode !== 200) return giveUp(`${name} answered ${statusCode}`)
        if (!/^text\/plain\b/i.test(headers['content-type'] ?? '')) return giveUp(`${name} sent no text/plain`)
        const chunks: Buffer[] = []
        let octets = 0
        response.on('data', (chunk: Buffer) => {
          octets += chunk.length
          if (octets > MOST_OCTETS) giveUp(`${name} sent more than ${MOST_OCTETS} octets`)
          else chunks.push(chunk)
        })
        response.on('error', error => giveUp(`${name}: ${error.message}`))
        response.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')))
      })
      asked.end()
    })
  }
}
