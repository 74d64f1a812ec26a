// The certificate of a gateway that was given none: made once, kept for the next start, made anew when its time is over
// or the host has another name. It encrypts; it proves nothing, and clients that verify refuse it.
import { randomUUID } from 'node:crypto'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EXIT, ExitError } from '../platform/exit.ts'
import { type CertificateFiles, readCertificate } from './certificate-files.ts'
import { makeCertificate } from './x509.ts'

const DAY = 24 * 60 * 60_000
const LIFETIME = 3650 * DAY

/**
 * The files of a certificate for `hostname`: one file, so that no crash and no second process can part key and
 * certificate. Throws ExitError when `dir` cannot be written.
 */
export async function selfSigned(dir: string, hostname: string, now: number): Promise<CertificateFiles> {
  const path = join(dir, 'self-signed.pem')
  const files = { cert: path, key: path }
  if (await isUsable(files, hostname, now)) return files
  // A client whose clock is behind must not take it for one of the future.
  const terms = { names: [hostname.toLowerCase()], notBefore: now - DAY, notAfter: now + LIFETIME }
  const { cert, key } = makeCertificate(terms)
  const unfinished = `${path}.${randomUUID()}`
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 })
    await writeFile(unfinished, key + cert, { mode: 0o600 })
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
