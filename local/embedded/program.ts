// Which daemon programs this machine has, and as whom they run.
// A program that is not there is a typed error that names its Debian package, so that the message to the operator
// can say what to install.
import { accessSync, constants, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { environment } from '../../src/platform/environment.ts'

/** An unprivileged account of this machine. */
export type Account = { name: string; uid: number; gid: number }

export class MissingProgram extends Error {
  override name = 'MissingProgram'
  readonly program: string
  readonly debianPackages: string // one, or several with spaces between

  constructor(program: string, debianPackages: string) {
    super(`${program} is not installed (Debian: ${debianPackages})`)
    this.program = program
    this.debianPackages = debianPackages
  }
}

/** PATH and the system's own directories, which an ordinary user's PATH leaves out (clamd and unbound live there). */
export const SEARCH_PATH = [environment.PATH ?? '', '/usr/local/sbin', '/usr/sbin', '/sbin'].join(delimiter)

/** The program's full path. Throws `MissingProgram`. */
export function findProgram(program: string, debianPackages: string, searchPath = SEARCH_PATH): string {
  for (const directory of searchPath.split(delimiter).filter(Boolean)) {
    const path = join(directory, program)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      // Not in this one.
    }
  }
  throw new MissingProgram(program, debianPackages)
}

/**
 * The account a daemon runs as: when we are root, its package's own where that exists, else nobody. Undefined when
 * we are not root: then it runs as ourselves.
 */
export function accountFor(name: string): Account | undefined {
  if (process.getuid?.() !== 0) return undefined
  const accounts = readFileSync('/etc/passwd', 'latin1').split('\n')
  for (const wanted of [name, 'nobody']) {
    const line = accounts.find(account => account.startsWith(`${wanted}:`))
    if (!line) continue
    const [, , uid, gid] = line.split(':')
    return { name: wanted, uid: Number(uid), gid: Number(gid) }
  }
  throw new Error('this machine has no unprivileged account: neither a daemon’s own nor nobody')
}
