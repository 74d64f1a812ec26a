// A Postfix of a story's own that sends: queue, configuration, log and processes are nobody else's. What a story hands
// to its port goes on to the gateway, by Postfix's own ideas of TLS, pipelining, retries and bounces.
// It must be started as root, as Postfix always is; it changes to its own accounts by itself.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from '../../local/embedded/port.ts'
import { findProgram } from '../../local/embedded/program.ts'
import { makeQueue, SERVICES } from '../bench/postfix-queue.ts'

const run = promisify(execFile)

export type Postfix = Readonly<{
  /** Takes mail for any domain. */
  port: number
  /** Resolves with the matches (of a global pattern) once the log has so many. Rejects with the log when it has not in time. */
  logged(pattern: RegExp, times?: number): Promise<RegExpExecArray[]>
  /** The log so far. */
  log(): string
  [Symbol.asyncDispose](): Promise<void>
}>

/** Milliseconds. */
const PATIENCE = 17_000

/** Sends to 127.0.0.1:`nextHop`, with these lines of main.cf added. Rejects with its log when it does not start. */
export async function startPostfix(nextHop: number, settings: Readonly<Record<string, string>> = {}): Promise<Postfix> {
  const [postconf, port] = [findProgram('postconf', 'postfix'), await freePort()]
  const setting = async (name: string) => (await run(postconf, ['-d', '-h', name])).stdout.trim()
  const daemons = await setting('daemon_directory')
  const root = mkdtempSync(join(tmpdir(), 'elemta-postfix-'))
  chmodSync(root, 0o755) // Postfix's own accounts must get through
  const [config, logFile] = [join(root, 'config'), join(root, 'log')]
  mkdirSync(config)
  writeFileSync(join(config, 'main.cf'), mainCf(root, daemons, nextHop, settings))
  writeFileSync(join(config, 'master.cf'), masterCf(port))
  writeFileSync(logFile, '')
  await makeQueue(root)

  const master = spawn(join(daemons, 'master'), ['-d', '-c', config], { stdio: 'ignore', detached: true })
  const gone = once(master, 'exit')
  const kill = (signal: NodeJS.Signals) => {
    try {
      process.kill(-master.pid!, signal)
    } catch {
      // No process of its group is left.
    }
  }
  const killAtExit = () => kill('SIGKILL')
  process.on('exit', killAtExit)
  const log = () => readFileSync(logFile, 'utf8')

  function logged(pattern: RegExp, times = 1): Promise<RegExpExecArray[]> {
    return new Promise((resolve, reject) => {
      const watcher = watch(logFile, look)
      const timer = setTimeout(
        () => end(() => reject(new Error(`not in Postfix's log: ${pattern}\n${log()}`))),
        PATIENCE,
      )
      look()
      function look() {
        const found = [...log().matchAll(pattern)]
        if (found.length >= times) end(() => resolve(found))
      }
      function end(settle: () => void) {
        watcher.close()
        clearTimeout(timer)
        settle()
      }
    })
  }

  const postfix: Postfix = {
    port,
    logged,
    log,
    async [Symbol.asyncDispose]() {
      kill('SIGTERM')
      await gone
      kill('SIGKILL') // children that outlived it
      process.off('exit', killAtExit)
      rmSync(root, { recursive: true, force: true })
    },
  }
  try {
    await logged(/ daemon started /g)
    await connectable(port)
    return postfix
  } catch (error) {
    await postfix[Symbol.asyncDispose]()
    throw error
  }
}

/** The master listens before it says so; this only makes sure that it is this port. */
async function connectable(port: number): Promise<void> {
  const socket = createConnection(port, '127.0.0.1')
  await once(socket, 'data')
  socket.destroy()
}

function mainCf(root: string, daemons: string, nextHop: number, settings: Readonly<Record<string, string>>): string {
  const all = {
    compatibility_level: '3.6',
    queue_directory: `${root}/queue`,
    data_directory: `${root}/data`,
    daemon_directory: daemons,
    mail_owner: 'postfix',
    setgid_group: 'postdrop',
    maillog_file: `${root}/log`,
    maillog_file_prefixes: root,
    myhostname: 'mta.sender.example',
    mydestination: '',
    mynetworks: '127.0.0.0/8',
    inet_interfaces: '127.0.0.1',
    inet_protocols: 'ipv4',
    relayhost: `[127.0.0.1]:${nextHop}`,
    disable_dns_lookups: 'yes',
    smtpd_peername_lookup: 'no',
    // An impatient queue: what is deferred comes back after a second.
    minimal_backoff_time: '1s',
    maximal_backoff_time: '1s',
    queue_run_delay: '1s',
    smtp_tls_security_level: 'may',
    smtp_tls_loglevel: '1',
    ...settings,
  }
  return Object.entries(all)
    .map(([name, value]) => `${name} = ${value}\n`)
    .join('')
}

function masterCf(port: number): string {
  return `127.0.0.1:${port} inet n - n - - smtpd
${SERVICES}tlsproxy  unix  - - n -     0 tlsproxy
postlog   unix-dgram n - n - 1 postlogd
`
}
