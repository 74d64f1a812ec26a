// The format of the users file: one user a line, `name:HASH` or `name:HASH:address,address`; empty lines and those that
// begin with # are left alone. Names are compared without case. Pure: text in, users or the first mistake out.
import { ConfigError } from '../platform/config-errors.ts'
import { type PasswordHash, parsePasswordHash } from './password-hash.ts'

export type FileUser = Readonly<{ name: string; hash: PasswordHash; addresses: readonly string[] | undefined }>

/** By `nameKey`. */
export type FileUsers = ReadonlyMap<string, FileUser>

/** What is wrong with a name, or undefined. It stands in logs and headers: nothing there but what can be seen. */
export function nameProblem(name: string): string | undefined {
  if (name === '') return 'a name is missing'
  if (name.length > 255) return 'the name is longer than 255 characters'
  if (/[\p{C}\p{Z}:,]/u.test(name)) return 'a name holds no blanks, colons, commas or control characters'
  return name.startsWith('#') ? 'a line that begins with # is a comment, so a name cannot' : undefined
}

export function addressProblem(address: string): string | undefined {
  return /^[^\s\p{C}@:,]+@[^\s\p{C}@:,]+$/u.test(address)
    ? undefined
    : `"${address}" is not an address: user@example.com`
}

/** The same for names that differ only in case or in how their letters are composed. */
export function nameKey(name: string): string {
  return name.normalize('NFC').toLowerCase()
}

/** Throws ConfigError, whose message begins with `file:line:`. */
export function parseUsers(text: string, file: string): FileUsers {
  const users = new Map<string, FileUser>()
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const user = parseLine(line)
    const problem =
      typeof user === 'string' ? user : users.has(nameKey(user.name)) ? `${user.name} is there twice` : undefined
    if (problem !== undefined || typeof user === 'string') {
      throw new ConfigError([{ file, line: index + 1, key: '', message: String(problem) }])
    }
    users.set(nameKey(user.name), user)
  }
  return users
}

/** The user of one line, or what is wrong with it; never repeats the hash. */
function parseLine(line: string): FileUser | string {
  const [name = '', hashed, list, ...more] = line.trimEnd().split(':')
  if (hashed === undefined || more.length > 0) return 'expected name:hash or name:hash:address,address'
  const addresses = list === undefined || list === '' ? undefined : list.split(',')
  const problem = nameProblem(name) ?? addresses?.map(addressProblem).find(found => found !== undefined)
  if (problem !== undefined) return problem
  const hash = parsePasswordHash(hashed)
  return hash === undefined
    ? 'the hash is not one made by: elemta user passwd NAME'
    : { name: name.normalize('NFC'), hash, addresses }
}

export function formatUser(name: string, hash: string, addresses: readonly string[] = []): string {
  return [name.normalize('NFC'), hash, ...(addresses.length > 0 ? [addresses.join(',')] : [])].join(':')
}

/**
 * The file's text with the line of one user replaced (null: removed, no such user: put at the end). All other lines,
 * comments too, stay as they are.
 */
export function replaceUser(text: string, name: string, line: string | null): string {
  const lines = text === '' ? [] : text.replace(/\n$/, '').split('\n')
  const index = lines.findIndex(other => !other.startsWith('#') && nameKey(other.split(':', 1)[0]!) === nameKey(name))
  if (index === -1) lines.push(...(line === null ? [] : [line]))
  else lines.splice(index, 1, ...(line === null ? [] : [line]))
  return lines.map(each => `${each}\n`).join('')
}
