import { once } from 'node:events'
import { mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { certificateFor, emptyDirectory, filesFor, overwrite, serveCertificates, writePems } from './certificate.ts'

describe('new files', () => {
  test('are taken when they are renamed over the old ones, and sessions that are on stay', async () => {
    const files = await filesFor(['old.test'])
    const { namesFor, untilLogged, shakeHands } = await serveCertificates({ files: [files] })
    const session = await shakeHands()
    const fresh = await filesFor(['new.test'])
    await rename(fresh.key, files.key)
    await rename(fresh.cert, files.cert)
    await untilLogged('certificate-loaded')
    expect(await namesFor('old.test')).toBe('new.test')
    session.write('still here')
    expect(String((await once(session, 'data'))[0])).toBe('still here')
    expect(session.getPeerCertificate().subjectaltname).toBe('DNS:old.test')
  })

  test('are taken when they are written in place', async () => {
    const files = await filesFor(['old.test'])
    const { namesFor, untilLogged } = await serveCertificates({ files: [files] })
    const fresh = await certificateFor(['new.test'])
    await overwrite(files, fresh)
    await untilLogged('certificate-loaded')
    expect(await namesFor()).toBe('new.test')
  })

  test('are taken when links to the files are turned, as certbot does, each time', async () => {
    const directory = await emptyDirectory()
    const [archive, live] = [join(directory, 'archive'), join(directory, 'live')]
    await mkdir(live)
    const turn = async (version: number) => {
      await mkdir(join(archive, `${version}`), { recursive: true })
      const paths = await writePems(join(archive, `${version}`), await certificateFor([`v${version}.test`]))
      for (const file of ['cert', 'key'] as const) {
        await rm(join(live, `${file}.pem`), { force: true })
        await symlink(paths[file], join(live, `${file}.pem`))
      }
    }
    await turn(1)
    // A link to the link, in a directory where nothing ever changes.
    const elsewhere = await emptyDirectory()
    const files = { cert: join(elsewhere, 'cert.pem'), key: join(elsewhere, 'key.pem') }
    await symlink(join(live, 'cert.pem'), files.cert)
    await symlink(join(live, 'key.pem'), files.key)
    const { namesFor, untilLogged } = await serveCertificates({ files: [files] })
    for (const version of [2, 3]) {
      await turn(version)
      await untilLogged('certificate-loaded', version - 1)
      expect(await namesFor()).toBe(`v${version}.test`)
    }
  })

  test('are taken when a link to their directory is turned, as Kubernetes does, each time', async () => {
    const directory = await emptyDirectory()
    const turn = async (version: number) => {
      const name = `..version-${version}`
      await mkdir(join(directory, name))
      await writePems(join(directory, name), await certificateFor([`v${version}.test`]))
      await symlink(name, join(directory, '..data_tmp'))
      await rename(join(directory, '..data_tmp'), join(directory, '..data'))
      await rm(join(directory, `..version-${version - 1}`), { recursive: true, force: true })
    }
    await turn(1)
    const files = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') }
    await symlink('..data/cert.pem', files.cert)
    await symlink('..data/key.pem', files.key)
    const { namesFor, untilLogged } = await serveCertificates({ files: [files] })
    for (const version of [2, 3]) {
      await turn(version)
      await untilLogged('certificate-loaded', version - 1)
      expect(await namesFor()).toBe(`v${version}.test`)
    }
  })

  test('are taken when their directory is replaced', async () => {
    const directory = await emptyDirectory()
    const tls = join(directory, 'tls')
    await mkdir(tls)
    const files = await writePems(tls, await certificateFor(['old.test']))
    const { namesFor, untilLogged, logged } = await serveCertificates({ files: [files] })
    await rm(tls, { recursive: true })
    await untilLogged('certificate-failed')
    expect(await namesFor()).toBe('old.test')
    await mkdir(tls)
    await writePems(tls, await certificateFor(['new.test']))
    await untilLogged('certificate-loaded')
    expect(await namesFor()).toBe('new.test')
    expect(logged('certificate-loaded')).toHaveLength(1)
  })

  test('are taken when another directory takes the place of theirs, each time', async () => {
    const directory = await emptyDirectory()
    const tls = join(directory, 'tls')
    const prepare = async (version: number) => {
      const next = join(directory, `next-${version}`)
      await mkdir(next)
      await writePems(next, await certificateFor([`v${version}.test`]))
      return next
    }
    await rename(await prepare(1), tls)
    const files = { cert: join(tls, 'cert.pem'), key: join(tls, 'key.pem') }
    const { namesFor, untilLogged } = await serveCertificates({ files: [files] })
    for (const version of [2, 3]) {
      const next = await prepare(version)
      await rename(tls, join(directory, `old-${version}`))
      await rename(next, tls)
      await untilLogged('certificate-loaded', version - 1)
      expect(await namesFor()).toBe(`v${version}.test`)
    }
  })

  test('that are no use leave the old certificate on, with an error that names them', async () => {
    const [files, other] = await Promise.all([filesFor(['a.test']), filesFor(['b.test'])])
    const { certificates, namesFor, untilLogged, logged } = await serveCertificates({ files: [files] })
    const key = await readFile(files.key, 'utf8')
    await writeFile(files.key, await readFile(other.key, 'utf8'))
    await untilLogged('certificate-failed')
    expect(await namesFor()).toBe('a.test')
    expect(String(logged('certificate-failed')[0]?.why)).toContain(`${files.key} is not the key`)
    await certificates.reload()
    expect(logged('certificate-failed')).toHaveLength(2)
    expect(certificates.warnings()).toContainEqual(expect.stringContaining(`${files.key} is not the key`))
    await writeFile(files.key, key)
    await certificates.reload()
    expect(certificates.warnings()).not.toContainEqual(expect.stringContaining(files.key))
  })

  test('that are no use do not keep another certificate from being renewed', async () => {
    const [spoilt, files] = await Promise.all([filesFor(['a.test']), filesFor(['b.test'])])
    const { certificates, namesFor } = await serveCertificates({ files: [spoilt, files] })
    await writeFile(spoilt.cert, 'rubbish')
    const fresh = await certificateFor(['b.test', 'c.test'])
    await overwrite(files, fresh)
    await certificates.reload()
    expect(await namesFor('c.test')).toBe('b.test, c.test')
    expect(await namesFor('a.test')).toBe('a.test')
  })

  test('let a TLS session be resumed all the same', async () => {
    const files = await filesFor(['a.test'])
    const { certificates, shakeHands } = await serveCertificates({ files: [files] })
    const first = await shakeHands({ servername: 'a.test' })
    const [session] = await once(first, 'session')
    const fresh = await certificateFor(['a.test'])
    await overwrite(files, fresh)
    await certificates.reload()
    const second = await shakeHands({ session, servername: 'a.test' })
    expect(second.isSessionReused()).toBe(true)
  })
})
