import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeCertificate } from '../../src/ingress/x509.ts'
import { DAY, emptyDirectory } from './certificate.ts'

const LONG_NAME = `${'a'.repeat(60)}.${'b'.repeat(60)}.example.com`

test.each([
  ['mx.example.com', 'notAfter=Dec 31 23:59:59 2049 GMT', Date.UTC(2049, 11, 31, 23, 59, 59)],
  [LONG_NAME, 'notAfter=Jan  1 00:00:00 2050 GMT', Date.UTC(2050, 0, 1)],
])('OpenSSL finds nothing wrong with a certificate for %s, %s', async (name, end, notAfter) => {
  const names = [name, '*.example.org', LONG_NAME]
  const { cert, key } = makeCertificate({ names, notBefore: Date.now() - DAY, notAfter })
  const path = join(await emptyDirectory(), 'cert.pem')
  await writeFile(path, key + cert)
  const openssl = (...words: string[]) => execFileSync('openssl', words, { encoding: 'utf8', stdio: 'pipe' })

  const strict = ['-x509_strict', '-purpose', 'sslserver', '-verify_hostname', 'www.example.org']
  expect(openssl('verify', ...strict, '-CAfile', path, path)).toContain(': OK')
  const text = openssl('x509', '-in', path, '-noout', '-enddate', '-subject', '-ext', 'subjectAltName')
  expect(text).toContain(end)
  expect(text).toContain(names.map(each => `DNS:${each}`).join(', '))
  expect(openssl('x509', '-in', path, '-noout', '-pubkey')).toBe(openssl('pkey', '-in', path, '-pubout'))
})
