// A private Postfix beside the machine's own: its configuration, queue and processes are the benchmark's alone.
// Tuned for speed, durability untouched: no chroot, no DNS, no intake brake (`in_flow_delay`), 100 processes, no
// limit per client. Every queue file is fsynced before 250, which is Postfix's way and no setting.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeQueue, SERVICES } from './postfix-queue.ts'
import { freePort, run, start, temporaryDirectory, untilAnswering } from './program.ts'
import { DOMAIN, HOSTNAME, type Place, type Server } from './server.ts'

export type PostfixMode =
  /** Accepts, and keeps everything in the hold queue: accepting alone. `settings` are further lines of main.cf. */
  | Readonly<{ kind: 'hold'; settings?: string }>
  /** The same with TLS: by STARTTLS on its port, and from the first octet on at `smtps`. */
  | Readonly<{ kind: 'tls'; cert: string; key: string; smtps: number }>
  /** Asks a milter on a unix socket, and delivers to a next hop on this machine. */
  | Readonly<{ kind: 'scan'; milter: string; nextHop: number }>

/** Starts Postfix on a free port, as root (it changes to its own users itself). */
export async function startPostfix(mode: PostfixMode, { directory, environment = {} }: Place): Promise<Server> {
  const root = temporaryDirectory(directory)
  const port = await freePort()
  const config = join(root, 'config')
  mkdirSync(config)
  writeFileSync(join(config, 'main.cf'), await mainCf(root, mode))
  writeFileSync(join(config, 'master.cf'), masterCf(port, mode))
  await makeQueue(root)
  const log = join(root, 'log')
  const daemon = await setting('daemon_directory')
  const [command, ...args] = withoutSyslog([join(daemon, 'master'), '-d', '-c', config])
  const program = start('postfix', command!, args, { env: environment, log })
  await untilAnswering(port, { greeting: '220', log })
  return { name: 'Postfix', port, pids: [program.pid], stop: program.stop }
}

/** Logging costs Postfix up to a third of its rate and cannot be switched off: where there is a syslog, hide it from it. */
function withoutSyslog(command: readonly string[]): readonly string[] {
  if (!existsSync('/dev/log')) return command
  const hide = 'mount --bind /dev/null "$(readlink -f /dev/log)" && exec "$@"'
  return ['unshare', '--mount', 'sh', '-c', hide, 'sh', ...command]
}

async function mainCf(root: string, mode: PostfixMode): Promise<string> {
  return `compatibility_level = 3.6
queue_directory = ${root}/queue
data_directory = ${root}/data
daemon_directory = ${await setting('daemon_directory')}
command_directory = ${await setting('command_directory')}
mail_owner = postfix
setgid_group = postdrop
myhostname = ${HOSTNAME}
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
relay_domains = ${DOMAIN}
disable_dns_lookups = yes
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
default_process_limit = 100
in_flow_delay = 0
import_environment = MAIL_CONFIG LD_PRELOAD SLOW_SYNC_US SLOW_SYNC_COUNT
${modeCf(mode)}`
}

const HOLD = 'smtpd_client_restrictions = check_client_access static:HOLD\n'

function modeCf(mode: PostfixMode): string {
  switch (mode.kind) {
    case 'hold':
      return `${HOLD}${mode.settings ?? ''}`
    case 'tls':
      return `${HOLD}smtpd_tls_security_level = may
smtpd_tls_cert_file = ${mode.cert}
smtpd_tls_key_file = ${mode.key}
`
    case 'scan':
      return `relayhost = [127.0.0.1]:${mode.nextHop}
smtpd_milters = unix:${mode.milter}
milter_default_action = tempfail
default_destination_concurrency_limit = 100
smtp_tls_security_level = none
`
  }
}

function masterCf(port: number, mode: PostfixMode): string {
  const smtps = mode.kind === 'tls' ? `127.0.0.1:${mode.smtps} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes\n` : ''
  return `${smtps}127.0.0.1:${port} inet n - n - - smtpd
${SERVICES}local     unix  - n n -     - local
`
}

async function setting(name: string): Promise<string> {
  return (await run('postconf', ['-d', '-h', name])).trim()
}
