// A real Postfix (Debian package postfix) as next hop: what it holds is what it was given, envelope, reports and all.
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startPostfix } from '../bench/postfix.ts'
import { run } from '../bench/program.ts'
import { DOMAIN, type Server } from '../bench/server.ts'
import { certificateFor, writePems } from '../ingress/certificate.ts'
import { handOver, openPool } from './hand-over.ts'
import { contentOf } from './messages.ts'

const NAME = 'mx.example.test'
let directory: string
let postfix: Server
let ca: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'elemta-postfix-'))
  await chmod(directory, 0o755)
  const files = await writePems(directory, await certificateFor([NAME]))
  ca = files.cert
  const settings = `smtpd_tls_security_level = encrypt
smtpd_tls_cert_file = ${files.cert}
smtpd_tls_key_file = ${files.key}
`
  postfix = await startPostfix({ kind: 'hold', settings }, { directory })
})
afterAll(async () => {
  await postfix?.stop()
  await rm(directory, { recursive: true, force: true })
})

/** What it holds, as postcat tells it. */
async function held(): Promise<string[]> {
  const [root] = (await readdir(directory)).filter(name => name.startsWith('elemta-bench-'))
  const config = join(directory, root!, 'config')
  const names = await readdir(join(directory, root!, 'queue', 'hold'))
  return await Promise.all(
    names.map(name => run('postcat', ['-c', config, join(directory, root!, 'queue', 'hold', name)])),
  )
}

test('that demands TLS gets it, verified, resumed, and with what the sender asked of reports', async () => {
  const pool = openPool()
  const nextHop = {
    protocol: 'smtp',
    host: '127.0.0.1',
    port: postfix.port,
    tls: 'verify',
    ca,
    certificateName: NAME,
  } as const
  const recipients = [`a@${DOMAIN}`, `b@${DOMAIN}`]
  const reports = {
    ret: 'headers',
    envelopeId: 'A+1',
    recipients: [
      { address: recipients[0]!, notify: ['success', 'failure'], originalRecipient: 'rfc822;first=one@example.org' },
      { address: recipients[1]!, notify: [] },
    ],
  } as const
  const content = contentOf(`Subject: real\r\n\r\n..\r\n.\r\n${'x'.repeat(900)}\r\n`)
  for (const helo of ['one.example.com', 'two.example.com', 'two.example.com']) {
    const { results, session } = await handOver(
      pool,
      { ...nextHop, helo, messagesPerConnection: 1 },
      { recipients, reports, content },
    )
    expect(results.map(({ kind, dsn }) => [kind, dsn])).toEqual([
      ['delivered', true],
      ['delivered', true],
    ])
    expect(session?.tls?.verified).toBe(true)
  }
  const messages = await held()
  expect(messages).toHaveLength(3)
  for (const message of messages) {
    const attributes = [
      ...message.matchAll(/^named_attribute: ((?:envelope_id|ret_flags|notify_flags|dsn_orig_rcpt)=.*)$/gm),
    ]
    expect(attributes.map(([, attribute]) => attribute)).toEqual([
      'envelope_id=A+1',
      'ret_flags=2', // HDRS
      'notify_flags=6', // SUCCESS and FAILURE
      'dsn_orig_rcpt=rfc822;first=one@example.org',
      'notify_flags=1', // NEVER
      `dsn_orig_rcpt=rfc822;b@${DOMAIN}`,
    ])
    expect(message).toContain(`\n..\n.\n${'x'.repeat(900)}\n`)
  }
})

test('in clear text it takes nothing: a deferral, although it says 530', async () => {
  const { told } = await handOver(openPool(), { protocol: 'smtp', host: '127.0.0.1', port: postfix.port, tls: 'none' })
  expect(told).toEqual(['deferred: 530 5.7.0 Must issue a STARTTLS command first'])
})
