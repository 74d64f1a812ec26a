// A real clamd whose signatures can be exchanged while it runs: with EICAR's, and without.
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startChild } from '../../local/embedded/child.ts'
import { makeOwnDirectory, writeConfiguration } from '../../local/embedded/home.ts'
import { freePort } from '../../local/embedded/port.ts'
import { clamdAnswers } from '../../local/embedded/probe.ts'
import { accountFor, findProgram } from '../../local/embedded/program.ts'
import { silentLog } from '../../src/platform/log.ts'
import { EICAR } from '../pipeline/mail.ts'

const signature = (name: string, text: string) => `${name}:0:*:${Buffer.from(text, 'latin1').toString('hex')}\n`
const WITH = signature('Eicar-Test-Signature', EICAR)
const WITHOUT = signature('Something-Else', 'a text that no mail of the tests holds')

export async function clamdThatForgets() {
  const directory = mkdtempSync(join(tmpdir(), 'elemta-forgets-'))
  chmodSync(directory, 0o755)
  const account = accountFor('clamav')
  const signatures = makeOwnDirectory(join(directory, 'signatures'), account)
  const temporary = makeOwnDirectory(join(directory, 'temporary'), account)
  const write = (text: string) => writeFileSync(join(signatures, 'test.ndb'), text, { mode: 0o644 })
  write(WITH)
  const port = await freePort()
  const home = join(directory, 'home')
  mkdirSync(home)
  const lines = {
    Foreground: 'yes',
    DatabaseDirectory: signatures,
    TemporaryDirectory: temporary,
    TCPAddr: '127.0.0.1',
    TCPSocket: port,
    ConcurrentDatabaseReload: 'yes',
  }
  const text = Object.entries(lines)
    .map(([key, value]) => `${key} ${value}\n`)
    .join('')
  const child = await startChild({
    name: 'clamd',
    program: findProgram('clamd', 'clamav-daemon'),
    args: ['--config-file', writeConfiguration(join(directory, 'clamd.conf'), text, account)],
    home,
    account,
    probe: () => clamdAnswers('127.0.0.1', port),
    readyWithin: 60_000,
    log: silentLog,
  })
  const reloadWith = async (signatures: string) => {
    write(signatures)
    const socket = connect(port, '127.0.0.1')
    socket.write('nRELOAD\n')
    await once(socket, 'data') // it does not always close
    socket.destroy()
  }
  return {
    address: { host: '127.0.0.1', port },
    forget: () => reloadWith(WITHOUT),
    remember: () => reloadWith(WITH),
    async [Symbol.asyncDispose]() {
      await child.stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
