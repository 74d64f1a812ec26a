// The first octets of a load balancer's connection, taken off before anybody else sees the socket: who the client is.
// What follows the header is put back. No header, a bad one or none in time: the connection is closed without a word,
// since whoever is there is no SMTP client.
import type { Socket } from 'node:net'
import { createProxyReader } from './proxy-header.ts'

export type Proxied =
  | Readonly<{ outcome: 'client'; address: string; port: number }>
  /** The load balancer speaks for itself. */
  | Readonly<{ outcome: 'local' }>
  | Readonly<{ outcome: 'refused'; why: string }>

/** `timeout` in milliseconds. Leaves the socket paused, with the rest of its octets to be read. */
export function readProxyHeader(socket: Socket, timeout: number): Promise<Proxied> {
  const read = createProxyReader()
  return new Promise(resolve => {
    const timer = setTimeout(() => settle({ outcome: 'refused', why: 'no PROXY header in time' }), timeout)
    socket.on('data', receive).on('close', gone)

    function settle(proxied: Proxied): void {
      clearTimeout(timer)
      socket.pause().off('data', receive).off('close', gone)
      resolve(proxied)
    }
    function gone(): void {
      settle({ outcome: 'refused', why: 'closed before a PROXY header' })
    }
    function receive(octets: Buffer): void {
      const progress = read(octets)
      if (progress.state === 'more') return
      if (progress.state === 'refused') {
        settle({ outcome: 'refused', why: progress.why })
        return
      }
      const { client, rest } = progress
      settle(client === undefined ? { outcome: 'local' } : { outcome: 'client', ...client })
      if (rest.length > 0) socket.unshift(rest)
    }
  })
}
