// TLS with next hops: 1.2 and up, SNI, certificates judged by policy, sessions resumed.
// A handshake that fails, for whatever reason, is a TlsError; whether another way is left is not decided here.
import { readFile } from 'node:fs/promises'
import { isIP, type Socket } from 'node:net'
import { connect, createSecureContext, getCACertificates, type SecureContext, type TLSSocket } from 'node:tls'
import { type NextHop, nextHopKey } from './next-hop.ts'
import { NextHopError, type SmtpConnection } from './smtp-connection.ts'

/** What a session is protected by, for logs. */
export type TlsFacts = Readonly<{
  version: string
  /** By its standard name (RFC 8446, RFC 5289), as everywhere in Elemta. */
  cipher: string
  /** The certificate is one for this host, by an authority that we trust. Demanded only where the policy is `verify`. */
  verified: boolean
}>

export class TlsError extends NextHopError {}

/** What was agreed upon with next hops before, by `nextHopKey`; spares the next handshake most of its work. */
export type TlsSessions = Map<string, Readonly<{ session: Buffer; verified: boolean }>>

const MOST_SESSIONS = 1000

/** Shakes hands on a connection. Rejects with TlsError or with what the connection was cut for by its owner. */
export async function shakeHands(
  connection: SmtpConnection,
  nextHop: NextHop,
  { timeout, sessions }: Readonly<{ timeout: number; sessions: TlsSessions | undefined }>,
): Promise<TlsFacts> {
  const name = nextHop.certificateName ?? nextHop.host
  const key = nextHopKey(nextHop)
  const known = sessions?.get(key)
  const secureContext = await contextFor(nextHop.ca)
  /** Not kept before the certificate is known to be good: TLS 1.2 sends it earlier. */
  let accepted: boolean | undefined
  let offered: Buffer | undefined
  let secured: TLSSocket | undefined

  function keep(session: Buffer): void {
    offered = session
    if (accepted === undefined || sessions === undefined) return
    sessions.delete(key)
    sessions.set(key, { session, verified: accepted })
    if (sessions.size > MOST_SESSIONS) sessions.delete(sessions.keys().next().value!)
  }
  const wrap = (socket: Socket) => {
    secured = connect({
      socket,
      secureContext,
      host: name,
      // RFC 6066 §3: no addresses.
      ...(isIP(name) === 0 ? { servername: name } : {}),
      rejectUnauthorized: nextHop.tls === 'verify',
      ...(known === undefined ? {} : { session: known.session }),
    })
    return secured.on('session', keep)
  }

  try {
    await connection.secure(wrap, timeout)
  } catch (error) {
    sessions?.delete(key)
    if (!(error instanceof NextHopError)) throw error
    throw new TlsError(`TLS failed: ${describeTlsError(error, name)}`, 'connection', { cause: error })
  }
  // Names are not compared anew in a session that is resumed: what was found the first time holds.
  accepted = secured!.isSessionReused() ? known?.verified === true : secured!.authorized
  if (offered !== undefined) keep(offered)
  return { version: secured!.getProtocol() ?? '', cipher: secured!.getCipher().standardName, verified: accepted }
}

/** By the authorities that are trusted; making one takes a while. */
const contexts = new Map<string, SecureContext>()
const MOST_CONTEXTS = 50

/** `ca` is a PEM file, read every time: it may have been renewed. */
async function contextFor(ca: string | undefined): Promise<SecureContext> {
  const pem = ca === undefined ? '' : await readAuthority(ca)
  const made = contexts.get(pem)
  if (made !== undefined) return made
  const authorities = ca === undefined ? [...getCACertificates('bundled'), ...getCACertificates('system')] : pem
  try {
    const context = createSecureContext({ ca: authorities, minVersion: 'TLSv1.2' })
    if (contexts.size >= MOST_CONTEXTS) contexts.clear()
    contexts.set(pem, context)
    return context
  } catch (error) {
    throw new TlsError(`TLS failed: ${ca} holds no certificate`, 'connection', { cause: error })
  }
}

async function readAuthority(file: string): Promise<string> {
  try {
    const pem = await readFile(file, 'utf8')
    // OpenSSL takes a text without certificates for an empty list, and then trusts nobody without saying why.
    if (pem.includes('-----BEGIN ')) return pem
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new TlsError(`TLS failed: cannot read ${file} (${code ?? message})`, 'connection', { cause: error })
  }
  throw new TlsError(`TLS failed: ${file} holds no certificate`, 'connection')
}

const BY_A_STRANGER = 'is by an authority that is not trusted'
/** The codes of Node and OpenSSL. */
const CERTIFICATE_TROUBLES: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: BY_A_STRANGER,
  UNABLE_TO_GET_ISSUER_CERT: BY_A_STRANGER,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: BY_A_STRANGER,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: BY_A_STRANGER,
  CERT_SIGNATURE_FAILURE: BY_A_STRANGER,
  CERT_HAS_EXPIRED: 'has expired',
  CERT_NOT_YET_VALID: 'is not valid yet',
  CERT_REVOKED: 'was revoked',
}

function describeTlsError({ message, cause }: NextHopError, name: string): string {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const trouble = code === 'ERR_TLS_CERT_ALTNAME_INVALID' ? `is not for ${name}` : CERTIFICATE_TROUBLES[code]
  return trouble === undefined ? message : `the certificate ${trouble}`
}
