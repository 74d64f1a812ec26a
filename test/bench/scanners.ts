// The scanners of the scanned case: one clamd, and rspamd twice with the same rules, the product's own configuration.
// One is asked by Elemta over HTTP. The other is asked by Postfix as a milter on a unix socket, scans in that same
// process (no hop to a worker), and asks clamd itself about the whole message, as Elemta does.
import { chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Clamd, startClamd } from '../../local/embedded/clamd.ts'
import { pathHash } from '../../local/embedded/home.ts'
import { accountFor } from '../../local/embedded/program.ts'
import { type Rspamd, startRspamd } from '../../local/embedded/rspamd.ts'
import { silentLog } from '../../src/platform/log.ts'
import { cores } from './machine.ts'
import { removeAtExit, temporaryDirectory } from './program.ts'

export type Scanners = Readonly<{
  clamd: Readonly<{ port: number; pid: number }>
  rspamd: Readonly<{ port: number; pid: number }>
  milter: Readonly<{ socket: string; pid: number }>
  stop(): Promise<void>
}>

const STREAM_MAX = 32 * 1024 * 1024
/** What resolves, so that the mail is ham; every other name does not exist, which is answered at once. */
const ZONES = `  local-data: "example.org. A 127.0.0.1"
  local-data: "example.org. MX 10 client.example.org."
  local-data: 'example.org. TXT "v=spf1 ip4:127.0.0.0/8 -all"'
  local-data: "client.example.org. A 127.0.0.1"
  local-data: "1.0.0.127.in-addr.arpa. PTR client.example.org."`
/** Mail from 127.0.0.1 would be spared SPF, DKIM, DMARC and denylists, and signed: it shall count as from outside. */
const NOBODY_IS_LOCAL = {
  'override.d/options.inc': 'local_addrs = ["192.0.2.1"];\ncheck_local = true;\n',
  'override.d/rbl.conf': 'default_exclude_private_ips = false;\ndefault_exclude_local = false;\n',
  'override.d/dkim_signing.conf': 'enabled = false;\n',
}

/** Starts them below `parent`. The first rspamd of a run compiles its patterns, about 20 s; the others find them. */
export async function startScanners(parent: string): Promise<Scanners> {
  const directory = temporaryDirectory(parent)
  removeAtExit(`/dev/shm/elemta-clamd-${process.pid}-${pathHash(join(directory, 'clamd'))}`) // where clamd unpacks
  const started: { stop(): Promise<void> }[] = []
  const keep = <T extends Clamd | Rspamd>(daemon: T): T => {
    started.push(daemon)
    return daemon
  }
  const stop = async () => {
    await Promise.all(started.map(daemon => daemon.stop()))
  }
  try {
    const clamd = keep(await startClamd({ dir: directory, streamMaxBytes: STREAM_MAX, log: silentLog }))
    const hyperscanDir = join(parent, 'hyperscan')
    mkdirSync(hyperscanDir, { recursive: true })
    const common = { hyperscanDir, zones: ZONES, ephemeral: true, log: silentLog }
    const httpDirectory = join(directory, 'asked-by-http')
    addConfiguration(httpDirectory, NOBODY_IS_LOCAL)
    const rspamd = keep(await startRspamd({ ...common, dir: httpDirectory }))
    const milterDirectory = join(directory, 'asked-as-milter')
    addConfiguration(milterDirectory, NOBODY_IS_LOCAL)
    const socket = prepareMilter(milterDirectory, clamd.port)
    const milter = keep(await startRspamd({ ...common, dir: milterDirectory }))
    return {
      clamd: { port: clamd.port, pid: pidOf(clamd, 'clamd') },
      rspamd: { port: rspamd.port, pid: pidOf(rspamd, 'rspamd') },
      milter: { socket, pid: pidOf(milter, 'rspamd') },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Puts files beside the product's own configuration; rspamd finds them there when it starts. */
function addConfiguration(directory: string, files: Readonly<Record<string, string>>): void {
  for (const [file, text] of Object.entries(files)) {
    const path = join(directory, 'rspamd', file)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
}

/** The milter worker, and clamd behind it for the whole message. Returns the milter's socket. */
function prepareMilter(directory: string, clamd: number): string {
  const sockets = join(directory, 'sockets')
  mkdirSync(sockets, { recursive: true })
  const account = accountFor('_rspamd')
  if (account) chownSync(sockets, account.uid, account.gid)
  const socket = join(sockets, 'milter')
  addConfiguration(directory, {
    'override.d/worker-proxy.inc': `enabled = true;
bind_socket = "${socket} mode=0666";
milter = yes;
count = ${cores};
upstream "local" { default = yes; self_scan = yes; }
`,
    'local.d/antivirus.conf': `clamav {
  type = "clamav";
  servers = "127.0.0.1:${clamd}";
  symbol = "CLAM_VIRUS";
  scan_mime_parts = false;
}
`,
  })
  return socket
}

/** The status of a running child says "pid 123". */
function pidOf(daemon: Clamd | Rspamd, child: string): number {
  const detail = daemon.status().find(({ name }) => name === child)?.detail ?? ''
  return Number(/\d+/.exec(detail)?.[0])
}
