// Puts TLS on a socket, at once or after STARTTLS. The plain socket's readers must be gone; octets that it has read but
// nobody took belong to the handshake.
import type { Socket } from 'node:net'
import { TLSSocket, type TLSSocketOptions } from 'node:tls'

export type Handshake = Readonly<{
  /** `TLSv1.3 TLS_AES_256_GCM_SHA384`, as in trace headers. */
  onSecure(tls: string, version: string): void
  onFailure(why: string): void
}>

export function secure(plain: Socket, options: TLSSocketOptions, { onSecure, onFailure }: Handshake): Socket {
  const socket = new TLSSocket(plain, { ...options, isServer: true })
  let done = false
  const fail = (why: string) => {
    if (done) return
    done = true
    onFailure(why)
  }
  socket.once('secure', () => {
    if (done) return
    done = true
    const version = socket.getProtocol() ?? 'TLS'
    onSecure(`${version} ${socket.getCipher().standardName}`, version)
  })
  // Node tells of errors by this event. Before the handshake is done it also destroys the socket; behind it, for a
  // socket without a TLS server as ours, that is left to us: records that are none, and renegotiation as an attack.
  socket.on('_tlsError', (error: Error) => {
    if (done) socket.destroy(error)
    else fail(error.message)
  })
  socket.on('error', error => fail(error.message))
  // Half a handshake is of no use, and no port scan holds a connection for the time that a handshake may take.
  socket.once('end', () => fail('closed during the handshake'))
  socket.on('close', () => fail('closed during the handshake'))
  plain.on('error', error => fail(error.message))
  return socket
}
