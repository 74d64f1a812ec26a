// A Dovecot of a test's own (Debian package dovecot-lmtpd) as a mail store behind LMTP: configuration, mailboxes, log
// and processes are nobody else's. It must be started as root, as Dovecot is; mail belongs to the account `mail`.
// Mailboxes keep CRLF, so a file is what came over the wire below what Dovecot puts in front of it.
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../local/embedded/port.ts'
import { findProgram } from '../../local/embedded/program.ts'
import { run, start, untilAnswering } from '../bench/program.ts'
import { type Pems, writePems } from '../ingress/certificate.ts'

export type Dovecot = Readonly<{
  port: number
  /** `lmtp://127.0.0.1:port` */
  url: string
  /** The file of its certificate, where it has one. */
  certificate: string
  /** Where a user's mailbox is, or will be: a maildir. */
  path(user: string): string
  /** The files that arrived there: contents. */
  mailbox(user: string): Buffer[]
  /** The log so far. */
  log(): string
  stop(): Promise<void>
}>

export type DovecotUser = Readonly<{
  name: string
  /** Octets that fit into the mailbox; without it everything does. */
  quota?: number
}>

export type DovecotOptions = Readonly<{
  users: readonly DovecotUser[]
  /** In PEM form: it offers STARTTLS then. */
  tls?: Pems
}>

/** Takes mail for these users, whatever the domain. Rejects with its log when it does not start. */
export async function startDovecot({ users, tls }: DovecotOptions): Promise<Dovecot> {
  const [program, port] = [findProgram('dovecot', 'dovecot-lmtpd'), await freePort()]
  const root = mkdtempSync(join(tmpdir(), 'elemta-dovecot-'))
  chmodSync(root, 0o755) // its own accounts must get through
  const log = join(root, 'log')
  const config = join(root, 'dovecot.conf')
  const [uid, gid] = await Promise.all(['-u', '-g'].map(async which => (await run('id', [which, 'mail'])).trim()))
  const mail = join(root, 'mail')
  mkdirSync(mail, { mode: 0o777 })
  chmodSync(mail, 0o777)
  writeFileSync(log, '')
  writeFileSync(join(root, 'users'), users.map(user => `${userLine(user)}\n`).join(''))
  if (tls !== undefined) await writePems(root, tls)
  writeFileSync(config, configOf({ root, port, uid: uid!, gid: gid!, secure: tls !== undefined }))
  const master = start('dovecot', program, ['-F', '-c', config], { log })
  const stop = async () => {
    await master.stop()
    rmSync(root, { recursive: true, force: true })
  }
  try {
    await untilAnswering(port, { greeting: '220', log })
  } catch (error) {
    await stop()
    throw error
  }
  return {
    port,
    url: `lmtp://127.0.0.1:${port}`,
    certificate: join(root, 'cert.pem'),
    path: user => join(mail, user),
    mailbox(user) {
      const folder = join(mail, user, 'new')
      return readdirSync(folder).map(name => readFileSync(join(folder, name)))
    },
    log: () => readFileSync(log, 'utf8'),
    stop,
  }
}

function userLine({ name, quota }: DovecotUser): string {
  return `${name}:{PLAIN}unused::::::${quota === undefined ? '' : `userdb_quota_rule=*:bytes=${quota}`}`
}

type Settings = Readonly<{ root: string; port: number; uid: string; gid: string; secure: boolean }>

function configOf({ root, port, uid, gid, secure }: Settings): string {
  return `base_dir = ${root}/run
state_dir = ${root}/state
instance_name = elemta-test
log_path = ${root}/log
protocols = lmtp
listen = 127.0.0.1
hostname = store.example
mail_location = maildir:${root}/mail/%n
mail_uid = ${uid}
mail_gid = ${gid}
first_valid_uid = 1
mail_save_crlf = yes
mail_fsync = never
mail_plugins = quota
plugin {
  quota = maildir:mailbox
}
passdb {
  driver = passwd-file
  args = username_format=%n ${root}/users
}
userdb {
  driver = passwd-file
  args = username_format=%n ${root}/users
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = ${port}
  }
}
protocol lmtp {
  postmaster_address = postmaster@store.example
}
${secure ? `ssl = yes\nssl_cert = <${root}/cert.pem\nssl_key = <${root}/key.pem` : 'ssl = no'}
`
}
