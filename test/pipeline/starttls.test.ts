// TLS of the listeners as openssl meets it: versions, certificates by name, and their renewal while mail goes on.
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { expect, test } from 'vitest'
import { certificateFor, emptyDirectory, filesFor, overwrite } from '../ingress/certificate.ts'
import { dial } from '../ingress/dialogue.ts'
import { openssl } from './client-program.ts'
import { startGateway } from './gateway.ts'

const listeners = [
  { address: '127.0.0.1', port: 0, mode: 'mx' },
  { address: '127.0.0.1', port: 0, mode: 'submissions' },
]
/** Nobody logs in here; the users file must be there. */
const auth = async () => {
  const users = join(await emptyDirectory(), 'users')
  await writeFile(users, '')
  return { users_file: users }
}
const STARTTLS = ['-starttls', 'smtp']
/** Without it openssl itself would refuse to speak what is too old. */
const WEAK = ['-cipher', 'DEFAULT@SECLEVEL=0']

test('TLS 1.2 and 1.3 are taken and TLS 1.1 is refused, after STARTTLS and from the start', async () => {
  await using gateway = await startGateway({ config: { listeners, auth: await auth() } })
  const [mx, submissions] = gateway.ports as [number, number]
  for (const [port, how] of [[mx, STARTTLS] as const, [submissions, []] as const]) {
    expect(await openssl(port, ...how, '-tls1_1', ...WEAK)).toMatchObject({
      code: 1,
      said: expect.stringMatching(/alert protocol version/),
    })
    expect((await openssl(port, ...how, '-tls1_2')).said).toMatch(/Protocol version: TLSv1\.2\nCiphersuite: ECDHE-/)
    expect((await openssl(port, ...how, '-tls1_3')).said).toMatch(/Protocol version: TLSv1\.3\n/)
  }
  expect(await gateway.metric('elemta_tls_connections_total{version="TLSv1.2"}')).toBe(2)
  expect(await gateway.metric('elemta_tls_connections_total{version="TLSv1.3"}')).toBe(2)
  expect(await gateway.metric('elemta_tls_handshake_failures_total')).toBe(2)
  await gateway.log(({ event, client }) => event === 'tls-failed' && client === '127.0.0.1')
  expect((await gateway.readyz()).body.checks).toContainEqual(
    expect.objectContaining({ name: 'tls', state: 'warning' }),
  )
})

test('the name that a client asks for chooses the certificate', async () => {
  const files = [await filesFor(['mx.example.com']), await filesFor(['*.example.org', 'example.org'])]
  await using gateway = await startGateway({ config: { listeners, auth: await auth(), tls: { certificates: files } } })
  const [mx, submissions] = gateway.ports as [number, number]
  for (const [port, how] of [[mx, STARTTLS] as const, [submissions, []] as const]) {
    const served = async (...args: string[]) => /CN = (\S+)/.exec((await openssl(port, ...how, ...args)).said)?.[1]
    expect(await served('-servername', 'mail.example.org')).toBe('*.example.org')
    expect(await served('-servername', 'mx.example.com')).toBe('mx.example.com')
    expect(await served('-servername', 'elsewhere.example')).toBe('mx.example.com')
    expect(await served('-noservername')).toBe('mx.example.com')
  }
})

test('a renewed certificate is served without a restart, and sessions under the old one go on', async () => {
  const paths = await filesFor(['before.example.com'])
  await using gateway = await startGateway({ config: { tls: { certificates: [paths] } } })
  const plain = dial(gateway.port)
  await plain.reply()
  await plain.say('EHLO client.example')
  expect(await plain.say('STARTTLS')).toMatch(/^220 /)
  plain.socket.removeAllListeners('data').setEncoding()
  const socket = connect({ socket: plain.socket, rejectUnauthorized: false })
  await once(socket, 'secureConnect')

  await overwrite(paths, await certificateFor(['after.example.com']))
  await gateway.log(({ event, names }) => event === 'certificate-loaded' && `${names}`.includes('after'))
  expect((await openssl(gateway.port, ...STARTTLS)).said).toMatch(/CN = after\.example\.com/)
  socket.write('EHLO client.example\r\n')
  expect(String((await once(socket, 'data'))[0])).toMatch(/^250-mx\.example\.com\r\n/)
  socket.destroy()
  expect(
    await gateway.metric('elemta_tls_certificate_expiry_seconds{certificate="after.example.com"}'),
  ).toBeGreaterThan(0)
  expect(await gateway.metric('elemta_tls_certificate_expiry_seconds{certificate="before.example.com"}')).toBeNaN()
})
