// A clamd of a drill, with the signatures that it is given: so it starts within a second, whatever database the machine
// has, and its database can grow old or forget while it runs.
import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { Log } from '../../src/platform/log.ts'
import { type Child, startChild } from '../embedded/child.ts'
import { makeHome, makeOwnDirectory, writeConfiguration } from '../embedded/home.ts'
import { freePort } from '../embedded/port.ts'
import { clamdAnswers } from '../embedded/probe.ts'
import { accountFor, findProgram } from '../embedded/program.ts'
import { signatureDatabase } from './signature-database.ts'

export type DrillClamd = Readonly<{
  address: Readonly<{ host: string; port: number }>
  /** Ends it; `start` brings it back at the same address, with the same signatures. */
  stop(): Promise<void>
  start(): Promise<void>
  /** Loads a database that was built at this time, with EICAR in it or without; `undated`: as a loose file. */
  load(database: Database): Promise<void>
}>

type Database = Readonly<{ builtAt: Date; eicar: boolean; undated?: true }>

// Put together here, so that no file of ours sets off a virus scanner.
const EICAR = ['X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR', 'STANDARD', 'ANTIVIRUS', 'TEST', 'FILE!$H+H*'].join('-')
const SIGNATURES = {
  eicar: ['Eicar-Test-Signature', EICAR],
  other: ['Drill.Never', 'a text that no mail holds'],
} as const

/** Starts it with EICAR in a database of now; resolves once it answers. Throws `MissingProgram` or `ChildFailed`. */
export async function startDrillClamd(dir: string, log: Log): Promise<DrillClamd> {
  const program = findProgram('clamd', 'clamav-daemon')
  const account = accountFor('clamav')
  const home = makeHome(dir, 'clamd', account)
  const signatures = makeOwnDirectory(join(home, 'signatures'), account)
  const port = await freePort()
  const settings = {
    Foreground: 'yes',
    DatabaseDirectory: signatures,
    TemporaryDirectory: makeOwnDirectory(join(home, 'temporary'), account),
    TCPAddr: '127.0.0.1',
    TCPSocket: port,
    StreamMaxLength: '30M',
    ConcurrentDatabaseReload: 'yes',
  }
  const text = Object.entries(settings)
    .map(([key, value]) => `${key} ${value}\n`)
    .join('')
  const configuration = writeConfiguration(join(home, 'clamd.conf'), text, account)
  const [database, loose] = [join(signatures, 'daily.cud'), join(signatures, 'loose.ndb')]
  let version = 27_000
  const write = ({ builtAt, eicar, undated }: Database) => {
    const lines = [...(eicar ? [SIGNATURES.eicar] : []), SIGNATURES.other].map(
      ([name, found]) => `${name}:0:*:${Buffer.from(found, 'latin1').toString('hex')}`,
    )
    for (const file of [database, loose]) rmSync(file, { force: true })
    // wx: the directory is clamd's, and we may be root: no link that it put there is followed.
    const asNew = { flag: 'wx', mode: 0o644 } as const
    if (undated) writeFileSync(loose, `${lines.join('\n')}\n`, asNew)
    else writeFileSync(database, signatureDatabase(++version, builtAt, lines), asNew)
  }
  const launch = (): Promise<Child> =>
    startChild({
      name: 'clamd',
      program,
      args: ['--config-file', configuration],
      home,
      account,
      probe: () => clamdAnswers('127.0.0.1', port),
      readyWithin: 60_000,
      log,
    })
  write({ builtAt: new Date(), eicar: true })
  let child = await launch()
  return {
    address: { host: '127.0.0.1', port },
    stop: () => child.stop(),
    async start() {
      child = await launch()
    },
    async load(changed) {
      write(changed)
      const socket = connect(port, '127.0.0.1')
      socket.write('nRELOAD\n')
      await once(socket, 'data') // it does not always close
      socket.destroy()
    },
  }
}
