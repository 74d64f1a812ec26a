// Adapter of the authenticator port: users in a file (its format: users-lines.ts). Read at the start, where a mistake
// throws ConfigError with file and line, and again when it changes: a mistake then is logged and the old users stay.
// A name that is not there costs the time of a hash too, so that the clock does not tell who exists.
import { readFileSync, statSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { ConfigError } from '../platform/config-errors.ts'
import type { Log } from '../platform/log.ts'
import type { AuthAnswer, Authenticator } from './authenticator.ts'
import { DEFAULT_COST, decoyHash, type ScryptCost, verifyPassword } from './password-hash.ts'
import { createTurns } from './turns.ts'
import { type FileUsers, nameKey, parseUsers } from './users-lines.ts'

/** Of the four threads that also sync mail to the disk. */
const HASHES_AT_ONCE = 2
/** At 0.2 s each, the last one waits five seconds. */
const HASHES_WAITING = 50

export function createUsersFile({ path, log }: Readonly<{ path: string; log: Log }>): Authenticator {
  let { users, stamp } = readAtStart(path, log)
  let decoyCost = costliest(users)
  let reading: Promise<void> = Promise.resolve()
  const turns = createTurns({ atOnce: HASHES_AT_ONCE, waiting: HASHES_WAITING })

  /** Looks at the file each time: one stat is nothing beside a hash, and a removed user is out at once. */
  async function refresh(): Promise<void> {
    let found = 'unreadable'
    try {
      found = stampOf(await stat(path, { bigint: true }))
      if (found === stamp) return
      users = parseUsers(await readFile(path, 'utf8'), path)
      decoyCost = costliest(users)
      log.info({ file: path, users: users.size }, 'users-file-read')
    } catch (error) {
      // Once for each state of the file, not for each login.
      if (found !== stamp) log.error({ file: path, why: (error as Error).message }, 'users-file-failed')
    }
    stamp = found
  }

  async function verify(name: string, password: string): Promise<AuthAnswer> {
    // One after the other, so that an older reading never replaces a newer one.
    reading = reading.then(refresh)
    await reading
    const user = users.get(nameKey(name))
    const hash = user?.hash ?? decoyHash(decoyCost)
    const right = await turns(() => verifyPassword(password, hash))
    if (right === 'full') return { outcome: 'unavailable', why: 'too many passwords are being checked' }
    if (!right || user === undefined) return { outcome: 'failure' }
    const { addresses } = user
    return { outcome: 'success', user: user.name, ...(addresses !== undefined && { addresses }) }
  }

  return { verify, close: async () => {} }
}

function readAtStart(path: string, log: Log): { users: FileUsers; stamp: string } {
  try {
    const stats = statSync(path, { bigint: true })
    if ((stats.mode & 0o007n) !== 0n) log.warn({ file: path, remedy: `chmod 600 ${path}` }, 'users-file-exposed')
    return { users: parseUsers(readFileSync(path, 'utf8'), path), stamp: stampOf(stats) }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw new ConfigError([
      { file: path, key: '', message: 'there is no such users file; make it by: elemta user add NAME' },
    ])
  }
}

type Stamped = Readonly<{ ino: bigint; size: bigint; mtimeNs: bigint; ctimeNs: bigint }>

function stampOf({ ino, size, mtimeNs, ctimeNs }: Stamped): string {
  return [ino, size, mtimeNs, ctimeNs].join(' ')
}

/** A file may hold hashes of several costs; the decoy takes as long as the slowest. */
function costliest(users: FileUsers): ScryptCost {
  let most: ScryptCost = [...users.values()][0]?.hash ?? DEFAULT_COST
  for (const { hash } of users.values()) {
    if (2 ** hash.ln * hash.r * hash.p > 2 ** most.ln * most.r * most.p) most = hash
  }
  return most
}
