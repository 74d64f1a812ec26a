// elemta user: who may submit mail, in the file that auth.users_file names. The gateway reads it again by itself.
import type { Command } from 'commander'
import type { FileUser } from '../../src/auth/users-lines.ts'
import { loadConfig } from '../../src/platform/config-load.ts'
import { EXIT, ExitError } from '../../src/platform/exit.ts'
import { collect } from './arguments.ts'

type Options = Readonly<{ config?: string; address?: string[] }>

const loadUsers = () => import('../../src/auth/users-lines.ts')

export function register(program: Command): void {
  const command = program.command('user').description('add, change, list or remove the users who may submit mail')
  const file = ['-c, --config <file>', 'configuration file'] as const

  command
    .command('add')
    .description('add a user; the password is asked for, or read from standard input')
    .argument('<name>', 'what the user logs in with, compared without case')
    .option('-a, --address <address>', 'an address the user may send as; may be repeated', collect)
    .option(...file)
    .action(async (name: string, { config, address }: Options) => {
      const path = usersFile(config)
      const lines = await loadUsers()
      const problem = lines.nameProblem(name) ?? address?.map(lines.addressProblem).find(found => found !== undefined)
      if (problem !== undefined) throw new ExitError(EXIT.usage, problem)
      // Before anyone has typed a password for nothing; and once more when the file is ours to change.
      await checkUser(path, name, 'absent')
      const hash = await newHash(name)
      await change(path, name, 'absent', () => lines.formatUser(name, hash, address))
    })

  command
    .command('passwd')
    .description('give a user another password')
    .argument('<name>', 'the user')
    .option(...file)
    .action(async (name: string, { config }: Options) => {
      const path = usersFile(config)
      await checkUser(path, name, 'present')
      const { formatUser } = await loadUsers()
      const hash = await newHash(name)
      await change(path, name, 'present', user => formatUser(user?.name ?? name, hash, user?.addresses))
    })

  command
    .command('list')
    .description('print the users, one a line, with the addresses they may send as')
    .option(...file)
    .action(async ({ config }: Options) => {
      for (const { name, addresses } of (await readUsers(usersFile(config))).values()) {
        process.stdout.write(`${[name, ...(addresses ?? [])].join(' ')}\n`)
      }
    })

  command
    .command('remove')
    .description('remove a user; sessions that are logged in go on until they end')
    .argument('<name>', 'the user')
    .option(...file)
    .action(async (name: string, { config }: Options) => {
      const path = usersFile(config)
      await checkUser(path, name, 'present')
      await change(path, name, 'present', () => null)
    })
}

function usersFile(config: string | undefined): string {
  const path = loadConfig(config).auth.users_file
  if (path !== undefined) return path
  throw new ExitError(EXIT.config, 'no users file is configured; set auth.users_file, for example to ./config/users')
}

async function readUsers(path: string) {
  const { existsSync, readFileSync } = await import('node:fs')
  const { parseUsers } = await loadUsers()
  return parseUsers(existsSync(path) ? readFileSync(path, 'utf8') : '', path)
}

type Expected = 'present' | 'absent'

async function checkUser(path: string, name: string, expected: Expected): Promise<void> {
  const { nameKey } = await loadUsers()
  refuseUnless(expected, (await readUsers(path)).has(nameKey(name)), name, path)
}

function refuseUnless(expected: Expected, present: boolean, name: string, path: string): void {
  if (present === (expected === 'present')) return
  const message = present ? `${name} is there already; new password: elemta user passwd ${name}` : `no user ${name}`
  throw new ExitError(EXIT.usage, `${path}: ${message}`)
}

async function newHash(name: string): Promise<string> {
  const { hashPassword } = await import('../../src/auth/password-hash.ts')
  const { readPassword } = await import('./read-password.ts')
  return hashPassword(await readPassword(name))
}

/** Replaces the user's line, or takes it out (null); the file may have changed while a password was typed. */
async function change(
  path: string,
  name: string,
  expected: Expected,
  lineOf: (user: FileUser | undefined) => string | null,
): Promise<void> {
  const { editUsersFile } = await import('../../src/auth/users-file-edit.ts')
  const { nameKey, parseUsers, replaceUser } = await loadUsers()
  editUsersFile(path, text => {
    const user = parseUsers(text, path).get(nameKey(name))
    refuseUnless(expected, user !== undefined, name, path)
    return replaceUser(text, name, lineOf(user))
  })
}
