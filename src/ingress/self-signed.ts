// The certificate of a gateway that was given none: made once, kept for the next start, made anew when its time is over
// or the host has another name. It encrypts; it proves nothing, and clients that verify refuse it.
import { randomUUID } from 'node:crypto'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EXIT, ExitError } from '../platform/exit.ts'
import { type CertificateFiles, readCertificate } from './certificate-files.ts'

const DAY = 24 * 60 * 60_000
const LIFETIME = 3650 * DAY
/** The longest common name (RFC 5280, ub-common-name); the names that count are the alternative ones. */
const LONGEST_COMMON_NAME = 64

/**
 * The files of a certificate for `hostname`: one file, so that no crash and no second process can part key and
 * certificate. Throws ExitError when `dir` cannot be written.
 */
export async function selfSigned(dir: string, hostname: string, now: number): Promise<CertificateFiles> {
  const path = join(dir, 'self-signed.pem')
  const files = { cert: path, key: path }
  if (await isUsable(files, hostname, now)) return files
  const pem = await make(hostname.toLowerCase(), now)
  const unfinished = `${path}.${randomUUID()}`
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 })
    await writeFile(unfinished, pem, { mode: 0o600 })
    await rename(unfinished, path)
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => {})
    const why = `cannot write a self-signed certificate: ${(error as Error).message}`
    throw new ExitError(EXIT.config, `${why}: let Elemta write ${dir}, or name files in tls.certificates`)
  }
  return files
}

async function isUsable(files: CertificateFiles, hostname: string, now: number): Promise<boolean> {
  try {
    const { names, expires } = await readCertificate(files, {})
    return names.includes(hostname.toLowerCase()) && expires - now > 30 * DAY
  } catch {
    return false
  }
}

/** Key and certificate in PEM form. */
async function make(hostname: string, now: number): Promise<string> {
  // Loaded only when it is needed: it is large, and most gateways have certificates.
  const { generate } = await import('selfsigned')
  const commonName = hostname.length > LONGEST_COMMON_NAME ? 'Elemta' : hostname
  const made = await generate([{ name: 'commonName', value: commonName }], {
    keySize: 2048,
    algorithm: 'sha256',
    // A client whose clock is behind must not take it for one of the future.
    notBeforeDate: new Date(now - DAY),
    notAfterDate: new Date(now + LIFETIME),
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, keyEncipherment: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      { name: 'subjectAltName', altNames: [{ type: 2, value: hostname }] },
    ],
  })
  return `${made.private.trim()}\n${made.cert.trim()}\n`
}
