// A certificate of a drill that ends when it is told to.
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generate } from 'selfsigned'

const DAY = 86_400_000
export const LASTING = 90

/** Key and certificate in one file below `dir`, exchanged at once. */
export const certificateFile = (dir: string) => join(dir, 'certificate.pem')

/** Writes one for mx.example.com that ends in `days`. */
export async function writeCertificate(dir: string, days: number): Promise<void> {
  const made = await generate([{ name: 'commonName', value: 'mx.example.com' }], {
    keySize: 2048,
    algorithm: 'sha256',
    notBeforeDate: new Date(Date.now() - DAY),
    notAfterDate: new Date(Date.now() + days * DAY),
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'mx.example.com' }] }],
  })
  const file = certificateFile(dir)
  writeFileSync(`${file}.new`, `${made.private.trim()}\n${made.cert.trim()}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}
