// TLS beside Postfix, with the same certificate and the same client (tls-source.c): handshakes alone, on a port where TLS
// begins with the first octet, and messages after STARTTLS. With an EC key, as certificates are made today, and with an
// RSA key, whose signature alone takes most of a millisecond; sessions fresh and resumed.
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Contender, compareAccept, type Plan, type Variant } from './accept.ts'
import { startElemta } from './elemta.ts'
import { startPostfix } from './postfix.ts'
import { freePort, run, temporaryDirectory, untilAnswering } from './program.ts'
import type { Comparison } from './samples.ts'
import { HOSTNAME, type Place, type Server } from './server.ts'
import { buildTlsSource, type TlsLoad } from './tls-source.ts'

type Key = 'EC' | 'RSA'
type Case = Readonly<{ title: string; key: Key; load: TlsLoad; sessions?: number }>
type Files = Readonly<{ cert: string; key: string }>

const SESSIONS = 20
/** So many that a server which waits for the network in each of them is busy all the same. */
const MANY_SESSIONS = 60
const AT_LEAST = 1.5
const KEYS: Readonly<Record<Key, readonly string[]>> = {
  EC: ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  RSA: ['rsa:2048'],
}

const CASES: readonly Case[] = [
  { title: 'TLS handshakes, EC P-256', key: 'EC', load: { tls: 'implicit', handshakesOnly: true } },
  {
    title: 'TLS handshakes, EC P-256, sessions resumed',
    key: 'EC',
    load: { tls: 'implicit', handshakesOnly: true, resume: true },
  },
  { title: 'TLS handshakes, RSA 2048', key: 'RSA', load: { tls: 'implicit', handshakesOnly: true } },
  { title: 'STARTTLS, a connection for each message, EC P-256 (5 KB)', key: 'EC', load: { tls: 'starttls' } },
  {
    title: 'TLS handshakes, EC P-256',
    key: 'EC',
    load: { tls: 'implicit', handshakesOnly: true },
    sessions: MANY_SESSIONS,
  },
  {
    title: 'STARTTLS, a connection for each message, EC P-256 (5 KB)',
    key: 'EC',
    load: { tls: 'starttls' },
    sessions: MANY_SESSIONS,
  },
  {
    title: 'STARTTLS, 100 messages on a connection, EC P-256 (5 KB)',
    key: 'EC',
    load: { tls: 'starttls', perConnection: 100 },
  },
]

export async function compareTls(plan: Plan & Readonly<{ servers: readonly string[] }>): Promise<Comparison[]> {
  const source = await buildTlsSource(plan.directory)
  const directory = temporaryDirectory(plan.directory)
  const files = { EC: await certificate(directory, 'EC'), RSA: await certificate(directory, 'RSA') }
  const comparisons: Comparison[] = []
  for (const { title, key, load, sessions = SESSIONS } of CASES) {
    const implicit = load.tls === 'implicit'
    const contenders: Contender[] = [
      { name: 'Elemta', start: place => startElemtaWithTls(place, files[key], implicit) },
      { name: 'Postfix', start: place => startPostfixWithTls(place, files[key], implicit) },
    ]
    const variant: Variant = {
      title: `${title}, ${sessions} sessions`,
      reuse: false,
      sessions,
      targets: [{ anchor: 'Postfix', atLeast: AT_LEAST }],
      send: source.sender(load),
      ...(load.handshakesOnly && { unit: 'handshake' }),
    }
    const chosen = contenders.filter(({ name }) => plan.servers.includes(name.toLowerCase()))
    const measured = await compareAccept(plan, chosen, [variant])
    comparisons.push(...measured.map(comparison => ({ ...comparison, notes: [`spoken: ${source.spoken()}`] })))
  }
  return comparisons
}

async function startElemtaWithTls(place: Place, files: Files, implicit: boolean): Promise<Server> {
  const submissions = await freePort()
  const users = join(place.directory, 'users')
  writeFileSync(users, '', { mode: 0o600 }) // nobody logs in
  const server = await startElemta({ kind: 'accept' }, place, {
    listeners: [{ address: '127.0.0.1', port: submissions, mode: 'submissions' }],
    tls: { certificates: [files] },
    auth: { users_file: users },
  })
  return { ...server, port: implicit ? submissions : server.port }
}

async function startPostfixWithTls(place: Place, files: Files, implicit: boolean): Promise<Server> {
  const smtps = await freePort()
  const server = await startPostfix({ kind: 'tls', ...files, smtps }, place)
  if (implicit) await untilAnswering(smtps)
  return { ...server, port: implicit ? smtps : server.port }
}

async function certificate(directory: string, name: Key): Promise<Files> {
  const [cert, key] = [join(directory, `${name}.cert`), join(directory, `${name}.key`)]
  const subject = ['-subj', `/CN=${HOSTNAME}`, '-addext', `subjectAltName=DNS:${HOSTNAME}`]
  await run('openssl', [
    'req',
    '-x509',
    '-nodes',
    '-days',
    '30',
    '-newkey',
    ...KEYS[name],
    ...subject,
    '-keyout',
    key,
    '-out',
    cert,
  ])
  chmodSync(key, 0o600)
  return { cert, key }
}
