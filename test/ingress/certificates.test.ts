import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { EXIT } from '../../src/platform/exit.ts'
import {
  certificateFor,
  DAY,
  emptyDirectory,
  filesFor,
  overwrite,
  type Pems,
  serveCertificates,
  writePems,
} from './certificate.ts'

describe('the name that a client asks for', () => {
  test('chooses the certificate: exactly, then by wildcard, else the first', async () => {
    const { namesFor } = await serveCertificates({
      files: await Promise.all([
        filesFor(['mx.example.com', 'MX2.example.com']),
        filesFor(['*.example.org']),
        filesFor(['mail.example.org', '*.example.net']),
      ]),
    })
    const first = 'mx.example.com, MX2.example.com'
    expect(await namesFor('mx2.example.com')).toBe(first)
    expect(await namesFor('mail.example.org')).toBe('mail.example.org, *.example.net')
    expect(await namesFor('MAIL.Example.Org')).toBe('mail.example.org, *.example.net')
    expect(await namesFor('www.example.org')).toBe('*.example.org')
    expect(await namesFor('a.example.net')).toBe('mail.example.org, *.example.net')
    expect(await namesFor('a.b.example.net')).toBe(first)
    expect(await namesFor('example.org')).toBe(first)
    expect(await namesFor('elsewhere.test')).toBe(first)
    expect(await namesFor()).toBe(first)
  })

  test('of two certificates for one name the first is used', async () => {
    const files = await Promise.all([filesFor(['a.test', 'first.test']), filesFor(['a.test', 'second.test'])])
    const { namesFor } = await serveCertificates({ files })
    expect(await namesFor('a.test')).toBe('a.test, first.test')
  })
})

test('min_version is kept', async () => {
  const { shakeHands } = await serveCertificates({ files: [await filesFor(['a.test'])], minVersion: 'TLSv1.3' })
  await expect(shakeHands({ maxVersion: 'TLSv1.2' })).rejects.toThrow(/version/i)
  expect((await shakeHands()).getProtocol()).toBe('TLSv1.3')
})

describe('at start', () => {
  async function startWith(files: Pems) {
    return serveCertificates({ files: [await filesFor(['good.test']), files] }).catch((error: unknown) => error)
  }

  test('a pair that does not belong together ends the program', async () => {
    const [one, other] = await Promise.all([filesFor(['a.test']), filesFor(['a.test'])])
    const error = await startWith({ cert: one.cert, key: other.key })
    expect(error).toMatchObject({ exitCode: EXIT.config })
    expect(String(error)).toContain(`${other.key} is not the key of the first certificate in ${one.cert}`)
  })

  test('a chain in the wrong order ends the program', async () => {
    const [leaf, authority] = [await certificateFor(['a.test']), await certificateFor(['ca.test'])]
    const files = await writePems(await emptyDirectory(), { cert: authority.cert + leaf.cert, key: leaf.key })
    expect(String(await startWith(files))).toContain('put the certificate before its chain')
  })

  test.each<[string, (files: Pems) => Promise<unknown>, RegExp]>([
    ['a missing certificate', files => rm(files.cert), /cert\.pem cannot be read: there is no such file/],
    ['a missing key', files => rm(files.key), /key\.pem cannot be read: there is no such file/],
    ['an empty certificate', files => writeFile(files.cert, ''), /cert\.pem holds no certificate in PEM form/],
    ['an empty key', files => writeFile(files.key, ''), /key\.pem holds no private key in PEM form/],
    ['the files the wrong way round', files => swap(files), /cert\.pem holds no certificate in PEM form/],
    ['a key with a passphrase', files => encryptKey(files.key), /key\.pem has a passphrase/],
  ])('%s ends the program', async (_name, spoil, message) => {
    const files = await filesFor(['a.test'])
    await spoil(files)
    const error = await startWith(files)
    expect(error).toMatchObject({ exitCode: EXIT.config, message: expect.stringMatching(message) })
  })

  async function swap({ cert, key }: Pems) {
    await rename(cert, `${cert}.moved`)
    await rename(key, cert)
    await rename(`${cert}.moved`, key)
  }

  async function encryptKey(path: string) {
    const { createPrivateKey } = await import('node:crypto')
    const key = createPrivateKey(await readFile(path, 'utf8'))
    const options = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' } as const
    await writeFile(path, key.export(options))
  }
})

describe('the end of a certificate', () => {
  test('is a metric by the first name, gone with the name', async () => {
    const [a, b] = [Date.now() + 90 * DAY, Date.now() + 30 * DAY]
    const files = await Promise.all([filesFor(['a.test', 'also-a.test'], a), filesFor(['*.b.test'], b)])
    const { certificates, expiries } = await serveCertificates({ files })
    expect(await expiries()).toEqual({ 'a.test': Math.floor(a / 1000), '*.b.test': Math.floor(b / 1000) })
    const fresh = await certificateFor(['c.test'], b)
    await overwrite(files[0]!, fresh)
    await certificates.reload()
    expect(await expiries()).toEqual({ 'c.test': Math.floor(b / 1000), '*.b.test': Math.floor(b / 1000) })
  })

  test('is warned of once a day from 14 days before, and shown until then', async () => {
    const start0 = Date.now()
    let time = start0
    const files = await filesFor(['a.test'], start0 + 15 * DAY)
    const { certificates, logged } = await serveCertificates({ files: [files], now: () => time })
    const lookAt = async (days: number) => {
      time = start0 + days * DAY
      await certificates.reload()
      return [logged('certificate-expires').length, logged('certificate-expired').length]
    }
    expect(await lookAt(0)).toEqual([0, 0])
    expect(certificates.warnings()).not.toContainEqual(expect.stringContaining('ends on'))
    expect(await lookAt(1.5)).toEqual([1, 0])
    expect(await lookAt(1.9)).toEqual([1, 0])
    expect(await lookAt(2.6)).toEqual([2, 0])
    expect(certificates.warnings()).toEqual([expect.stringMatching(/a\.test ends on .*: renew .*cert\.pem/)])
    expect(await lookAt(15.5)).toEqual([2, 1])
    expect(certificates.warnings()).toEqual([expect.stringMatching(/a\.test is over since .*: renew .*cert\.pem/)])
  })
})

describe('without certificates', () => {
  test('one is made for the host, warned of, and kept for the next start', async () => {
    const selfSignedDir = join(await emptyDirectory(), 'tls')
    const { certificates, namesFor, shakeHands, logged, expiries } = await serveCertificates({
      files: [],
      selfSignedDir,
    })
    expect(await namesFor('anything.test')).toBe('mx.example.com')
    expect(logged('certificate-self-signed')).toHaveLength(1)
    expect(certificates.warnings()).toEqual([expect.stringMatching(/mx\.example\.com is self-signed/)])
    expect((await expiries())['mx.example.com']).toBeGreaterThan(Date.now() / 1000)
    const path = join(selfSignedDir, 'self-signed.pem')
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    const made = await readFile(path, 'utf8')
    const trusting = { ca: made, servername: 'mx.example.com', rejectUnauthorized: true }
    expect((await shakeHands(trusting)).authorized).toBe(true)

    await serveCertificates({ files: [], selfSignedDir })
    expect(await readFile(path, 'utf8')).toBe(made)
  })

  test('it is made anew for another host name, and when its time is over', async () => {
    const selfSignedDir = await emptyDirectory()
    await serveCertificates({ files: [], selfSignedDir })
    const { namesFor } = await serveCertificates({ files: [], selfSignedDir, hostname: 'other.example.com' })
    expect(await namesFor()).toBe('other.example.com')
    const path = join(selfSignedDir, 'self-signed.pem')
    const old = await certificateFor(['mx.example.com'], Date.now() - DAY)
    await writeFile(path, old.key + old.cert)
    await serveCertificates({ files: [], selfSignedDir })
    expect(await readFile(path, 'utf8')).not.toContain(old.cert.trim())
  })

  test('a directory that cannot be written ends the program', async () => {
    const file = join(await emptyDirectory(), 'file')
    await writeFile(file, '')
    const started = serveCertificates({ files: [], selfSignedDir: join(file, 'tls') })
    await expect(started).rejects.toMatchObject({ exitCode: EXIT.config, message: expect.stringContaining(file) })
  })
})
