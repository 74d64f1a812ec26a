// Puts TLS on a socket, at once or after STARTTLS. The plain socket's readers must be gone; octets that it has read but
// nobody took belong to the handshake.
import type { Socket } from 'node:net'
import { TLSSocket, type TLSSocketOptions } from 'node:tls'

export type TlsFacts = Readonly<{
  version: string
  cipher: string
  /** An earlier session goes on. */
  resumed: boolean
  /** The name that the client asked for (RFC 6066 §3): a claim. */
  serverName?: string
}>

export type Handshake = Readonly<{
  onSecure(facts: TlsFacts): void
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
    onSecure(factsOf(socket))
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

/** Node sets `servername` on the server's side too: false when none was asked for. */
function factsOf(socket: TLSSocket & { servername?: string | false | null }): TlsFacts {
  const { servername } = socket
  return {
    version: socket.getProtocol() ?? 'TLS',
    cipher: socket.getCipher().standardName,
    resumed: socket.isSessionReused(),
    ...(servername ? { serverName: servername } : {}),
  }
}
