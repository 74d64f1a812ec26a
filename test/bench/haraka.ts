// Haraka from npm, as it comes, with its outbound queue: one process, every message a queue file, fsynced before 250
// (file, not directory). Either it only accepts, like the others (delivery switched off), or it delivers at the same time.
// The two overrides name versions that every registry has; Haraka's own dependencies ask for newer ones.
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, run, start, temporaryDirectory, untilAnswering } from './program.ts'
import { HOSTNAME, type Place, type Server } from './server.ts'

const VERSION = '3.3.4'
const OVERRIDES = { 'encoding-japanese': '2.2.0', libqp: '2.1.1' }

/** Takes everything from everybody (else Haraka would not put it into its outbound queue), and asks no DNS. */
const RELAY_PLUGIN = `exports.hook_lookup_rdns = next => next(OK, 'localhost')
exports.hook_get_mx = next => next(OK, { priority: 0, exchange: '127.0.0.1', port: NEXT_HOP })
exports.hook_connect = (next, connection) => {
  connection.relaying = true
  next()
}
exports.hook_rcpt = next => next(OK)
`

export type HarakaMode = Readonly<{ kind: 'hold' }> | Readonly<{ kind: 'deliver'; nextHop: number }>

/** Installs Haraka below `directory`; returns its program. Throws with npm's reason. */
export async function installHaraka(directory: string): Promise<string> {
  const home = join(directory, 'haraka')
  mkdirSync(home)
  writeFileSync(
    join(home, 'package.json'),
    JSON.stringify({ private: true, dependencies: { Haraka: VERSION }, overrides: OVERRIDES }),
  )
  await run('npm', ['install', '--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'], {
    cwd: home,
  })
  return join(home, 'node_modules/Haraka/bin/haraka')
}

export async function startHaraka(
  program: string,
  mode: HarakaMode,
  { directory, environment = {} }: Place,
): Promise<Server> {
  const root = temporaryDirectory(directory)
  const port = await freePort()
  const write = (name: string, content: string) => writeFileSync(join(root, name), content)
  cpSync(join(program, '../../config'), join(root, 'config'), { recursive: true })
  for (const name of ['plugins', 'queue']) mkdirSync(join(root, name))
  write('config/smtp.ini', `listen=127.0.0.1:${port}\n`)
  write('config/me', `${HOSTNAME}\n`)
  write('config/log.ini', '[main]\nlevel=error\n')
  write('config/plugins', 'bench_relay\n')
  write('config/outbound.ini', `disabled=${mode.kind === 'hold'}\nenable_tls=false\n`)
  write('plugins/bench_relay.js', RELAY_PLUGIN.replace('NEXT_HOP', String(mode.kind === 'deliver' ? mode.nextHop : 0)))
  const log = join(root, 'log')
  const daemon = start('haraka', process.execPath, [program, '-c', root], { env: environment, log })
  await untilAnswering(port, { greeting: '220', log })
  return { name: 'Haraka', port, pids: [daemon.pid], stop: daemon.stop }
}
