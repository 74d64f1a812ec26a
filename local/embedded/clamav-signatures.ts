// Where an own clamd has its signatures: the system's directory where that has some, else one of its own, which knows
// EICAR from the start (good for a first run and for tests, no protection) and which freshclam fills.
import { accessSync, constants, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeOwnDirectory } from './home.ts'
import type { Account } from './program.ts'

export type Signatures = Readonly<{
  directory: string
  /** It is the system's, where another freshclam may be at work. */
  system: boolean
  /** We may write there. */
  writable: boolean
}>

const SYSTEM = '/var/lib/clamav'
const BUILT_IN = 'eicar.ndb'
const DATABASE = /\.(cvd|cld|cud|ndb|ndu|hdb|hdu|hsb|hsu|ldb|ldu|mdb|mdu|msb|yar|yara)$/
/** bytecode alone finds nothing. */
const NO_DATABASE = new Set([BUILT_IN, 'bytecode.cvd', 'bytecode.cld'])

/** Chooses the directory for the clamd that lives in `home`, and makes sure that clamd can start with it. */
export function findSignatures(home: string, account: Account | undefined, system = SYSTEM): Signatures {
  if (hasSignatures(system)) return { directory: system, system: true, writable: mayWrite(system, account) }
  const directory = makeOwnDirectory(join(home, 'signatures'), account)
  const file = join(directory, BUILT_IN)
  rmSync(file, { force: true })
  // wx: the directory is clamd's, and we may be root: no link that it put there is followed.
  writeFileSync(file, builtIn(), { flag: 'wx', mode: 0o644 })
  return { directory, system: false, writable: true }
}

/** Whether anything but EICAR would be found. */
export function hasSignatures(directory: string): boolean {
  try {
    return readdirSync(directory).some(name => DATABASE.test(name) && !NO_DATABASE.has(name))
  } catch {
    return false
  }
}

/** Whether some freshclam is running on this machine: then the system's signatures are its business. */
export function freshclamRuns(): boolean {
  if (!existsSync('/proc')) return false
  return readdirSync('/proc').some(pid => {
    if (!/^\d+$/.test(pid)) return false
    try {
      return readFileSync(`/proc/${pid}/comm`, 'latin1') === 'freshclam\n'
    } catch {
      return false // it ended while we looked
    }
  })
}

function mayWrite(directory: string, account: Account | undefined): boolean {
  if (account) return statSync(directory).uid === account.uid
  try {
    accessSync(directory, constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** Put together here, so that no file of ours sets off a virus scanner. */
function builtIn(): string {
  const eicar = ['X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR', 'STANDARD', 'ANTIVIRUS', 'TEST', 'FILE!$H+H*'].join('-')
  return `Eicar-Test-Signature:0:*:${Buffer.from(eicar, 'latin1').toString('hex')}\n`
}
