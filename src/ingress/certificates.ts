// The certificates of the listeners: chosen by the name that a client asks for, taken anew when their files change,
// watched for their end. At start every one must be sound; later one that is not keeps the one before it, and sessions
// that are on keep what they have. Without any, a self-signed one is made.
import { randomBytes } from 'node:crypto'
import type { SecureContext, TLSSocketOptions } from 'node:tls'
import { EXIT, ExitError } from '../platform/exit.ts'
import type { Log } from '../platform/log.ts'
import type { Metrics } from '../platform/metrics.ts'
import { type Certificate, type CertificateFiles, readCertificate } from './certificate-files.ts'
import { createFileWatch } from './file-watch.ts'
import { selfSigned } from './self-signed.ts'
import { createChoice } from './server-name.ts'

export type CertificateOptions = Readonly<{
  files: readonly CertificateFiles[]
  /** Where a self-signed certificate is kept when there are no files. */
  selfSignedDir: string
  hostname: string
  minVersion: 'TLSv1.2' | 'TLSv1.3'
  log: Log
  metrics: Pick<Metrics, 'tlsCertificateExpiry'>
  /** Milliseconds since 1970. */
  now: () => number
}>

export type Certificates = Readonly<{
  /** For the name that a client asked for; the first certificate's where none fits. */
  secureContext(servername: string | undefined): SecureContext
  /** For one connection: `new tls.TLSSocket(socket, options())`. */
  options(): TLSSocketOptions
  /** Reads the files again; never rejects. Also done when they change, and once an hour. */
  reload(): Promise<void>
  /** What an operator should know: self-signed, soon or already over, new files that are no use. */
  warnings(): readonly string[]
  close(): void
}>

const HOUR = 60 * 60_000
const DAY = 24 * HOUR
/** Automatic renewal replaces a certificate weeks earlier: one with less left was forgotten. */
const SOON = 14 * DAY

type Loaded = [Certificate, ...Certificate[]]

/**
 * Throws ExitError naming the file when one cannot be used. For other settings make a new one, then close this: the
 * metric is that of the last one made.
 */
export async function createCertificates(options: CertificateOptions): Promise<Certificates> {
  const { hostname, selfSignedDir, minVersion, log, metrics, now } = options
  const given = options.files.length > 0
  const files = given ? options.files : [await selfSigned(selfSignedDir, hostname, now())]
  // One key for all tickets, so that a session may be resumed after a reload and under any of our names.
  const tls = { minVersion, honorCipherOrder: true, ticketKeys: randomBytes(48) }
  const watch = createFileWatch({
    onChange: () => void look(),
    onTrouble: (directory, error) =>
      log.warn({ directory, why: error.message, effect: 'read on SIGHUP and hourly' }, 'certificates-not-watched'),
  })
  const paths = files.flatMap(({ cert, key }) => [cert, key])
  /** By the path of the certificate: why its new files are no use. */
  const broken = new Map<string, string>()
  /** By the path of the certificate: when its end was last warned of. */
  const warned = new Map<string, number>()
  let loading = Promise.resolve()
  let closed = false

  // Watched before they are read, so that no change falls in between.
  await watch.follow(paths)
  let certificates = await firstLoad()
  let choose = createChoice(certificates)
  if (!given)
    log.warn({ file: paths[0], hostname, remedy: 'name files in tls.certificates' }, 'certificate-self-signed')
  noteExpiry()
  const hourly = setInterval(() => void look(), HOUR).unref()

  async function firstLoad(): Promise<Loaded> {
    try {
      return (await Promise.all(files.map(pair => readCertificate(pair, tls)))) as Loaded
    } catch (error) {
      watch.close()
      throw new ExitError(EXIT.config, `tls.certificates: ${(error as Error).message}`, { cause: error })
    }
  }

  function reload(): Promise<void> {
    // Who asks for it wants to hear again what is still wrong.
    broken.clear()
    return look()
  }

  /** One look after the other, so that the last one read is the last one used. */
  function look(): Promise<void> {
    loading = loading.then(loadAgain).catch((error: unknown) => log.error({ why: String(error) }, 'certificate-failed'))
    return loading
  }

  async function loadAgain(): Promise<void> {
    if (closed) return
    await watch.follow(paths)
    const loaded = (await Promise.all(certificates.map(renewed))) as Loaded
    if (closed) return
    certificates = loaded
    choose = createChoice(certificates)
    noteExpiry()
  }

  /** What its files hold now, or the certificate itself when that is the same or no use. */
  async function renewed(certificate: Certificate): Promise<Certificate> {
    const { cert } = certificate.files
    try {
      const found = await readCertificate(certificate.files, tls, certificate)
      broken.delete(cert)
      if (found !== certificate)
        log.info({ file: cert, names: found.names, expires: iso(found.expires) }, 'certificate-loaded')
      return found
    } catch (error) {
      const why = (error as Error).message
      // A busy directory makes us look often: said once is enough.
      if (broken.get(cert) !== why) log.error({ file: cert, why, effect: 'the one before stays' }, 'certificate-failed')
      broken.set(cert, why)
      return certificate
    }
  }

  function noteExpiry(): void {
    const earliest = new Map<string, number>()
    for (const { names, expires } of certificates) {
      const name = names[0] ?? ''
      earliest.set(name, Math.min(expires, earliest.get(name) ?? expires))
    }
    metrics.tlsCertificateExpiry.reset()
    for (const [certificate, expires] of earliest) metrics.tlsCertificateExpiry.set({ certificate }, expires / 1000)
    for (const certificate of certificates) warnOfExpiry(certificate)
  }

  function warnOfExpiry({ files: { cert }, names, expires }: Certificate): void {
    if (expires - now() > SOON) warned.delete(cert)
    else if (now() - (warned.get(cert) ?? Number.NEGATIVE_INFINITY) >= DAY) {
      warned.set(cert, now())
      log.warn(
        { file: cert, names, expires: iso(expires) },
        expires > now() ? 'certificate-expires' : 'certificate-expired',
      )
    }
  }

  function warnings(): readonly string[] {
    const ends = certificates.map(certificate => warningOf(certificate, now())).filter(text => text !== undefined)
    return [...ends, ...[...broken.values()].map(why => `the certificate before is still in use: ${why}`)]
  }

  function close(): void {
    closed = true
    clearInterval(hourly)
    watch.close()
  }

  const secureContext = (servername: string | undefined) => choose(servername).context
  return {
    secureContext,
    options: () => ({
      isServer: true,
      secureContext: secureContext(undefined),
      SNICallback: (servername, callback) => callback(null, secureContext(servername)),
    }),
    reload,
    warnings,
    close,
  }
}

/** At most one per certificate, the gravest. */
function warningOf({ names, expires, selfSigned, files }: Certificate, now: number): string | undefined {
  const name = `the certificate of ${names[0]}`
  if (expires <= now) return `${name} is over since ${iso(expires)}: renew ${files.cert}`
  if (expires - now < SOON) return `${name} ends on ${iso(expires)}: renew ${files.cert}`
  if (selfSigned) return `${name} is self-signed: who verifies it sends no mail here; name files in tls.certificates`
  return undefined
}

function iso(time: number): string {
  return new Date(time).toISOString()
}
