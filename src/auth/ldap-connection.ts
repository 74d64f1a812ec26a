// A connection to an LDAP server that is ready for passwords: TLS from the start (ldaps://), by STARTTLS (RFC 4511
// §4.14), or in clear where the configuration says so. Certificates are verified, always. One deadline for all that
// happens on it: when it is over the connection is destroyed and whatever waits for an answer rejects.
import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { Client } from 'ldapts'

const START_TLS = '1.3.6.1.4.1.1466.20037'

export type LdapServer = Readonly<{
  /** `ldap://HOST:PORT` or `ldaps://HOST:PORT`, the port being optional. */
  url: string
  starttls: boolean
  /** Text of a PEM file; undefined: the authorities that Node knows. */
  ca: string | undefined
}>

export type LdapConnection = Readonly<{ client: Client; destroy(): void }>

/** `signal` ends the connection, also while it is being made. Rejects when there can be none. */
export async function openLdap(server: LdapServer, signal: AbortSignal): Promise<LdapConnection> {
  const { protocol, hostname, port } = new URL(server.url)
  const secure = protocol === 'ldaps:'
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  const socket = connect({ host, port: port === '' ? (secure ? 636 : 389) : Number(port) })
  const destroy = () => {
    socket.destroy()
  }
  signal.addEventListener('abort', destroy, { once: true })
  socket.once('close', () => signal.removeEventListener('abort', destroy))
  try {
    signal.throwIfAborted()
    await opened(socket, 'connect')
    if (!secure && server.starttls) await startTls(socket)
    const channel = secure || server.starttls ? await encrypt(socket, host, server.ca) : socket
    return { client: clientOn(channel), destroy }
  } catch (error) {
    destroy()
    throw signal.aborted ? signal.reason : error
  }
}

/**
 * The request has a client of its own. What somebody in between put behind the answer, in clear, is lost with it and
 * never taken for an answer that came through TLS.
 */
async function startTls(socket: Socket): Promise<void> {
  await clientOn(socket).exop(START_TLS)
  socket.removeAllListeners('data')
}

async function encrypt(socket: Socket, host: string, ca: string | undefined): Promise<TLSSocket> {
  // A name goes into the hello, so that the server can choose its certificate; an address must not (RFC 6066 §3).
  const name = isIP(host) === 0 ? { servername: host } : {}
  const channel = connectTls({ socket, host, ...name, ...(ca !== undefined && { ca }) })
  await opened(channel, 'secureConnect')
  return channel
}

function opened(socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once(event, resolve)
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('the connection was closed')))
  })
}

/** The URL only keeps the client from encrypting once more. */
function clientOn(socket: Socket): Client {
  return new Client({ url: 'ldap://connected', createConnection: () => socket })
}
