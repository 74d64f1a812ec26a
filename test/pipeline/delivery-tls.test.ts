// What protected a delivery, and what kept it from TLS: in the log line of each recipient and in the message's story.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { helloReply, type Script, startNextHop } from '../deliver/next-hop.ts'
import { certificateFor, emptyDirectory, type Pems } from '../ingress/certificate.ts'
import { startGateway } from './gateway.ts'
import { mail, send } from './mail.ts'

const TLS = expect.stringMatching(/^TLSv1\.3 TLS_/)
const STARTTLS = helloReply(['next-hop.example', 'PIPELINING', 'STARTTLS'])

async function portOf(script: Script): Promise<number> {
  const hop = await startNextHop(script)
  onTestFinished(() => hop.close())
  return hop.port
}

async function fileOf({ cert }: Pems): Promise<string> {
  const file = join(await emptyDirectory(), 'ca.pem')
  await writeFile(file, cert)
  return file
}

test('each delivery says what protected it', async () => {
  const good = await certificateFor(['localhost'])
  const other = await certificateFor(['other.example'])
  const offers = { hello: STARTTLS }
  const ways: readonly [name: string, tls: string, Script][] = [
    ['verified', 'verify', { ...offers, tls: good }],
    ['untrusted', 'may', { ...offers, tls: other }],
    ['open', 'may', {}],
    ['broken', 'may', { ...offers, starttls: { cut: '220 2.0.0 Go on\r\n' } }],
    ['refused', 'may', { ...offers, starttls: '454 4.7.0 Not now' }],
    ['stranger', 'verify', { ...offers, tls: other }],
    ['without', 'encrypt', {}],
  ]
  const ca = await fileOf(good)
  const routes = await Promise.all(
    ways.map(async ([name, tls, script]) => ({
      domains: [`${name}.example.com`],
      to: `smtp://localhost:${await portOf(script)}`,
      tls,
      ...(tls === 'verify' && { ca }),
    })),
  )
  await using gateway = await startGateway({
    config: {
      relay: { domains: ways.map(([name]) => `${name}.example.com`), networks: [] },
      routes,
      delivery: { retry_schedule: ['1h'] },
    },
  })
  const to = ways.map(([name]) => `bob@${name}.example.com`)
  const { queueId } = await send(gateway.port, { to, content: mail() })
  await gateway.settled(queueId, 'delivered', 'deferred')
  const { stdout: story } = await gateway.elemta('trace', queueId)
  const told = (name: string) => {
    const lines = [...gateway.logged('delivered'), ...gateway.logged('deferred')]
    const line = lines.find(({ recipient }) => recipient === `bob@${name}.example.com`)
    const { event, tls, tlsVerified, tlsFailure } = line!
    return { event, tls, tlsVerified, tlsFailure }
  }
  const step = (name: string) => story.split('\n').find(text => text.includes(`bob@${name}.`) && / by | in /.test(text))

  expect(told('verified')).toEqual({ event: 'delivered', tls: TLS, tlsVerified: true })
  expect(step('verified')).toMatch(/delivered to .* s under TLSv1\.3 TLS_\w+ \(certificate verified\): 250 /)
  expect(told('untrusted')).toEqual({ event: 'delivered', tls: TLS, tlsVerified: false })
  expect(step('untrusted')).toMatch(/ under TLSv1\.3 TLS_\w+ \(certificate not verified\): 250 /)
  expect(told('open')).toEqual({ event: 'delivered' })
  expect(step('open')).toMatch(/delivered to .* s: 250 /)
  const cut = 'TLS failed: connection closed by the next hop'
  expect(told('broken')).toEqual({ event: 'delivered', tlsFailure: cut })
  expect(step('broken')).toContain(` s in clear text (${cut}): 250 `)
  const refused = 'the next hop says: 454 4.7.0 Not now'
  expect(told('refused')).toEqual({ event: 'delivered', tlsFailure: refused })
  expect(step('refused')).toContain(` s in clear text (${refused}): 250 `)
  const stranger = 'TLS failed: the certificate is self-signed'
  expect(told('stranger')).toEqual({ event: 'deferred', tlsFailure: stranger })
  expect(step('stranger')).toMatch(
    / by smtp:\/\/localhost:\d+: TLS failed: the certificate is self-signed; next attempt /,
  )
  const without = 'TLS is required, but the next hop does not offer it'
  expect(told('without')).toEqual({ event: 'deferred', tlsFailure: without })
})
