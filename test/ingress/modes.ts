// An ingress with a listener of each mode, a certificate and one user (`bob`, password `secret`), and clients that
// speak TLS with it.
import { once } from 'node:events'
import { createSecureContext, connect as shakeHands } from 'node:tls'
import { invalidCredentials, type Login } from '../../src/auth/login.ts'
import { certificateFor } from './certificate.ts'
import { converse, type Dialogue, dial } from './dialogue.ts'
import { start } from './start.ts'

type Settings = Parameters<typeof start>[0]

/** `AUTH PLAIN` with it logs in. */
export const CREDENTIALS = Buffer.from('\0bob\0secret').toString('base64')

const certificate = certificateFor(['mx.example.com'])

const login: Login = async ({ user, password }) =>
  user === 'bob' && password === 'secret'
    ? { outcome: 'success', user: 'bob@example.com' }
    : { outcome: 'refused', reply: invalidCredentials }

export async function startModes(settings: Settings = {}) {
  const secureContext = createSecureContext(await certificate)
  const listeners = (['mx', 'submission', 'submissions'] as const).map(mode => {
    return { address: '127.0.0.1', port: 0, mode }
  })
  const gateway = await start({ tls: () => ({ secureContext }), login, listeners, ...settings })
  const [mx, submission, submissions] = gateway.ingress.addresses.map(({ port }) => port)
  return { ...gateway, mx: mx!, submission: submission!, submissions: submissions! }
}

/** Connects and shakes hands at once, as port 465 wants it; takes no greeting. */
export function dialSecurely(port: number): Promise<Dialogue> {
  return secured(dial(port))
}

/** Says STARTTLS and shakes hands; what the server knew of the session is gone. */
export async function startTls(client: Dialogue): Promise<Dialogue> {
  const reply = await client.say('STARTTLS')
  if (!reply.startsWith('220 ')) throw new Error(reply)
  return secured(client)
}

/** Rejects when the server does not shake hands. */
export async function secured(client: Dialogue): Promise<Dialogue> {
  const socket = shakeHands({ socket: client.socket, rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  return converse(socket)
}

/** On the submissions listener, with EHLO said and the user logged in. */
export async function loggedIn(port: number): Promise<Dialogue> {
  const client = await dialSecurely(port)
  await client.reply()
  await client.say('EHLO laptop.example')
  await client.say(`AUTH PLAIN ${CREDENTIALS}`)
  return client
}
