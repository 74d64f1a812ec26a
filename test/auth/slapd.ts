// Debian's real slapd, private: own configuration, database and ports on the loopback, ended with `stop`. Its users are
// those that a test gives. Throws, naming the package, where there is no slapd.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generate } from 'selfsigned'

const SLAPD = '/usr/sbin/slapd'
export const BASE = 'ou=people,dc=example,dc=com'
export const SEARCHER = { dn: 'cn=searcher,dc=example,dc=com', password: 'searching' }

export type LdapUser = Readonly<{ uid: string; password?: string; mail?: readonly string[] }>

export type Slapd = Readonly<{
  /** `clear` and `tls` are the same server; the latter is for ldaps://. */
  clear: string
  tls: string
  /** PEM file of the authority of its certificate, which is for localhost and 127.0.0.1. */
  ca: string
  stop(): Promise<void>
}>

type Options = Readonly<{
  users: readonly LdapUser[]
  /** Lines of slapd.conf(5), such as `security simple_bind=128`. */
  directives?: readonly string[]
}>

export async function startSlapd({ users, directives = [] }: Options): Promise<Slapd> {
  if (!existsSync(SLAPD)) throw new Error('there is no slapd on this machine: apt-get install slapd')
  const dir = mkdtempSync(join(tmpdir(), 'elemta-slapd-'))
  mkdirSync(join(dir, 'db'))
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
    keySize: 2048,
    extensions: [
      { name: 'basicConstraints', cA: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  })
  const files = {
    'cert.pem': cert,
    'key.pem': key,
    'users.ldif': ldif(users),
    'slapd.conf': configuration(dir, directives),
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text)
  execFileSync(SLAPD, ['-T', 'add', '-f', join(dir, 'slapd.conf'), '-l', join(dir, 'users.ldif')], { stdio: 'pipe' })

  const [plain, secure] = [await freePort(), await freePort()]
  const urls = `ldap://127.0.0.1:${plain} ldaps://127.0.0.1:${secure}`
  const child = spawn(SLAPD, ['-f', join(dir, 'slapd.conf'), '-h', urls, '-d', 'stats'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  await started(child)
  return {
    clear: `ldap://127.0.0.1:${plain}`,
    tls: `ldaps://127.0.0.1:${secure}`,
    ca: join(dir, 'cert.pem'),
    async stop() {
      if (child.exitCode === null) {
        const ended = new Promise(done => child.once('exit', done))
        child.kill('SIGTERM')
        await ended
      }
      rmSync(dir, { recursive: true })
    },
  }
}

/** It says so on standard error, once it listens. */
function started(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = ''
    let up = false
    child.once('error', reject)
    child.once('exit', code => reject(new Error(`slapd ended with ${code}: ${said}`)))
    child.stderr!.on('data', piece => {
      // Read on, or it would block; but what it says later is of no interest.
      if (up) return
      said += piece
      up = said.includes('slapd starting')
      if (up) resolve()
    })
  })
}

function configuration(dir: string, directives: readonly string[]): string {
  const schema = ['core', 'cosine', 'inetorgperson'].map(name => `include /etc/ldap/schema/${name}.schema`)
  return `${schema.join('\n')}
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile ${dir}/slapd.pid
TLSCertificateFile ${dir}/cert.pem
TLSCertificateKeyFile ${dir}/key.pem
${directives.join('\n')}
database mdb
directory ${dir}/db
maxsize 10485760
suffix "dc=example,dc=com"
access to attrs=userPassword by anonymous auth by * none
access to * by * read
`
}

function ldif(users: readonly LdapUser[]): string {
  const entries = [
    ['dn: dc=example,dc=com', 'objectClass: domain'],
    [`dn: ${SEARCHER.dn}`, 'objectClass: person', 'sn: searcher', `userPassword: ${SEARCHER.password}`],
    [`dn: ${BASE}`, 'objectClass: organizationalUnit'],
    ...users.map(({ uid, password, mail = [] }, n) => [
      `dn: cn=person ${n},${BASE}`,
      'objectClass: inetOrgPerson',
      'sn: person',
      // In base64: names and passwords may hold anything.
      `uid:: ${base64(uid)}`,
      ...(password === undefined ? [] : [`userPassword:: ${base64(password)}`]),
      ...mail.map(address => `mail: ${address}`),
    ]),
  ]
  return entries.map(lines => `${lines.join('\n')}\n`).join('\n')
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
