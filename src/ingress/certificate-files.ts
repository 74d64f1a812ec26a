// One certificate of the listeners, from the files that hold it and its key: read, looked at, and made fit for TLS.
// Whatever is wrong with them is an Error that says which file, and what to do.
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'

/** PEM files: the certificate and then its chain; the key. Both may be one file. */
export type CertificateFiles = Readonly<{ cert: string; key: string }>

export type Certificate = Readonly<{
  files: CertificateFiles
  /** DNS names in lower case, at least one; wildcards as they stand in it. */
  names: readonly string[]
  /** When it ends, milliseconds since 1970. */
  expires: number
  selfSigned: boolean
  /** Differs when anything in the files does. */
  content: string
  context: SecureContext
}>

/**
 * What the files hold; `known` itself when that is what they hold. Throws Error when they cannot be read, hold something
 * else, or do not belong together.
 */
export async function readCertificate(
  files: CertificateFiles,
  tls: SecureContextOptions,
  known?: Certificate,
): Promise<Certificate> {
  const [cert, key] = await Promise.all([read(files.cert), read(files.key)])
  const content = `${cert}\0${key}`
  if (known?.content === content) return known
  const certificate = parseCertificate(files.cert, cert)
  if (!certificate.checkPrivateKey(parseKey(files.key, key))) {
    throw new Error(
      `${files.key} is not the key of the first certificate in ${files.cert}: name the key that was made with it, ` +
        'and put the certificate before its chain',
    )
  }
  return {
    files,
    names: namesIn(certificate),
    expires: certificate.validToDate.getTime(),
    // Not checkIssued(): it wants the right to sign, which a certificate of a server has no use for.
    selfSigned: certificate.subject === certificate.issuer && certificate.verify(certificate.publicKey),
    content,
    context: contextOf(files, { ...tls, cert, key }),
  }
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException
    throw new Error(`${path} cannot be read: ${REMEDIES[code] ?? message}`, { cause: error })
  }
}

const REMEDIES: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file; check the path in tls.certificates',
  EACCES: 'let the user that Elemta runs as read it (chgrp, chmod g+r), and enter the directories above it',
  EISDIR: 'it is a directory; name the PEM file in it',
}

function parseCertificate(path: string, pem: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch (error) {
    throw new Error(`${path} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)`, { cause: error })
  }
}

function parseKey(path: string, pem: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch (error) {
    const encrypted = pem.includes('ENCRYPTED')
    const why = encrypted
      ? 'has a passphrase; write it without one: openssl pkey -in KEY -out NEW'
      : 'holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)'
    throw new Error(`${path} ${why}`, { cause: error })
  }
}

/** What OpenSSL refuses for being too weak shows only here. */
function contextOf(files: CertificateFiles, options: SecureContextOptions): SecureContext {
  try {
    return createSecureContext(options)
  } catch (error) {
    throw new Error(`${files.cert} cannot be used for TLS: ${(error as Error).message}`, { cause: error })
  }
}

/** The DNS names of the subject alternative names, which alone count (RFC 6125 §6.4.4); the common name without any. */
function namesIn(certificate: X509Certificate): readonly string[] {
  const names = (certificate.subjectAltName ?? '')
    .split(', ')
    .filter(name => name.startsWith('DNS:'))
    .map(name => name.slice(4).toLowerCase())
  if (names.length > 0) return names
  return [/^CN=(.+)$/m.exec(certificate.subject)?.[1]?.toLowerCase() ?? 'unnamed']
}
