// The npm package smtp-server with the plainest durable backend: a file for each message, fsync, fsync of the
// directory. For the record only: its greeting waits 100 ms by a timer that no option changes, so the timer is cut here.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, run, start, temporaryDirectory, untilAnswering } from './program.ts'
import type { Place, Server } from './server.ts'

const VERSION = '3.21.6'

const PROGRAM = `import { SMTPServer } from 'smtp-server'
import { open } from 'node:fs/promises'
const [port, directory] = process.argv.slice(2)
const later = globalThis.setTimeout
globalThis.setTimeout = (run, wait, ...args) => later(run, wait === 100 ? 0 : wait, ...args)
const folder = await open(directory)
let number = 0
async function store(stream) {
  const file = await open(directory + '/' + ++number, 'wx')
  for await (const chunk of stream) await file.write(chunk)
  await file.sync()
  await file.close()
  await folder.sync()
}
new SMTPServer({
  authOptional: true,
  disabledCommands: ['AUTH', 'STARTTLS'],
  disableReverseLookup: true,
  logger: false,
  onData: (stream, session, done) => void store(stream).then(() => done(), done),
}).listen(Number(port), '127.0.0.1')
`

/** Installs smtp-server below `directory`; returns the program that runs it. Throws with npm's reason. */
export async function installSmtpServer(directory: string): Promise<string> {
  const home = join(directory, 'smtp-server')
  mkdirSync(home)
  writeFileSync(join(home, 'package.json'), JSON.stringify({ private: true, dependencies: { 'smtp-server': VERSION } }))
  await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'], { cwd: home })
  const program = join(home, 'serve.mjs')
  writeFileSync(program, PROGRAM)
  return program
}

export async function startSmtpServer(program: string, { directory, environment = {} }: Place): Promise<Server> {
  const root = temporaryDirectory(directory)
  const port = await freePort()
  mkdirSync(join(root, 'messages'))
  const log = join(root, 'log')
  const args = [program, String(port), join(root, 'messages')]
  const daemon = start('smtp-server', process.execPath, args, { env: environment, log })
  await untilAnswering(port, { greeting: '220', log })
  return { name: 'smtp-server', port, pids: [daemon.pid], stop: daemon.stop }
}
