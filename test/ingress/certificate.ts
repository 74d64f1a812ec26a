// Certificates for tests, made on the spot with the names and the end that a test asks for, and a port that shows them.
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer, connect as tcpConnect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { type ConnectionOptions, connect, TLSSocket } from 'node:tls'
import { pino } from 'pino'
import { generate } from 'selfsigned'
import { onTestFinished } from 'vitest'
import { type CertificateOptions, createCertificates } from '../../src/ingress/certificates.ts'
import { createMetrics } from '../../src/platform/metrics.ts'

export const DAY = 24 * 60 * 60_000

export type Pems = Readonly<{ cert: string; key: string }>

/** Making keys is slow: there are two, taken in turn, so that what is made next never has the same one. */
const keyPairs = [makeKeyPair(), makeKeyPair()] as const
let made = 0

function makeKeyPair() {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return {
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

/** A certificate of these DNS names, in PEM form; by default good for 90 days. */
export async function certificateFor(names: readonly string[], expires = Date.now() + 90 * DAY): Promise<Pems> {
  const pems = await generate([{ name: 'commonName', value: names[0] ?? 'unnamed' }], {
    keyPair: keyPairs[made++ % 2 === 0 ? 0 : 1],
    algorithm: 'sha256',
    notBeforeDate: new Date(Math.min(Date.now(), expires) - DAY),
    notAfterDate: new Date(expires),
    extensions: [{ name: 'subjectAltName', altNames: names.map(value => ({ type: 2, value })) }],
  })
  return { cert: `${pems.cert.trim()}\n`, key: `${pems.private.trim()}\n` }
}

/** Writes them as `cert.pem` and `key.pem`; the paths. */
export async function writePems(directory: string, { cert, key }: Pems): Promise<Pems> {
  const paths = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') }
  await overwrite(paths, { cert, key })
  return paths
}

/** Writes them in place. */
export async function overwrite(paths: Pems, { cert, key }: Pems): Promise<void> {
  await writeFile(paths.key, key)
  await writeFile(paths.cert, cert)
}

/** Files of a certificate of these names, in a directory of their own. */
export async function filesFor(names: readonly string[], expires?: number): Promise<Pems> {
  return writePems(await emptyDirectory(), await certificateFor(names, expires))
}

/** An empty directory, gone when the test is over. */
export async function emptyDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'elemta-tls-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** Certificates on a port where every octet comes back, all of it gone when the test is over. */
export async function serveCertificates(settings: Partial<CertificateOptions> & Pick<CertificateOptions, 'files'>) {
  const metrics = createMetrics()
  const lines: Record<string, unknown>[] = []
  const written = new Writable({
    write(line, _encoding, done) {
      lines.push(JSON.parse(String(line)))
      written.emit('line')
      done()
    },
  })
  const certificates = await createCertificates({
    selfSignedDir: '/nonexistent/elemta',
    hostname: 'mx.example.com',
    minVersion: 'TLSv1.2',
    log: pino({ messageKey: 'event' }, written),
    metrics,
    now: Date.now,
    ...settings,
  })
  const server = createServer(socket => {
    const secure = new TLSSocket(socket, certificates.options())
    secure.on('error', () => {}).pipe(secure)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    certificates.close()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const logged = (event: string) => lines.filter(line => line.event === event)

  /** A session that has shaken hands. */
  async function shakeHands(options: ConnectionOptions = {}): Promise<TLSSocket> {
    const socket = connect({ socket: tcpConnect(port, '127.0.0.1'), rejectUnauthorized: false, ...options })
    onTestFinished(() => void socket.destroy())
    await once(socket, 'secureConnect')
    return socket
  }

  return {
    certificates,
    shakeHands,
    logged,
    /** Resolves once the event was logged so often. */
    async untilLogged(event: string, times = 1) {
      while (logged(event).length < times) await once(written, 'line')
    },
    /** The names of the certificate that a client gets who asks for this one. */
    async namesFor(servername?: string) {
      const socket = await shakeHands(servername === undefined ? {} : { servername })
      return socket.getPeerCertificate().subjectaltname?.replaceAll('DNS:', '')
    },
    /** The series of `elemta_tls_certificate_expiry_seconds` on a scrape. */
    async expiries() {
      const text = await metrics.registry.metrics()
      const found = text.matchAll(/^elemta_tls_certificate_expiry_seconds\{certificate="(.*)"\} (\S+)$/gm)
      return Object.fromEntries([...found].map(([, name, value]) => [name, Number(value)]))
    },
  }
}
