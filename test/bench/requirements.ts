// The programs of Debian that a case needs, and which of them this machine lacks. Nothing is installed here: Debian's
// Postfix starts itself on port 25 when it is installed, and that is the owner's decision.
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

const PACKAGES = {
  'smtp-source': 'postfix',
  'smtp-sink': 'postfix',
  postconf: 'postfix',
  gcc: 'gcc libc6-dev libssl-dev',
  openssl: 'openssl',
  clamd: 'clamav-daemon',
  rspamd: 'rspamd',
  'redis-server': 'redis-server',
  unbound: 'unbound',
  strace: 'strace',
} as const

export type Requirement = keyof typeof PACKAGES

export const LOAD: readonly Requirement[] = ['smtp-source', 'smtp-sink', 'postconf']
export const SCANNERS: readonly Requirement[] = ['clamd', 'rspamd', 'redis-server', 'unbound']

/** One sentence on what to install; undefined when everything is there. */
export function missing(requirements: readonly Requirement[]): string | undefined {
  const absent = requirements.filter(program => !isInstalled(program))
  if (absent.length === 0) return undefined
  const packages = [...new Set(absent.flatMap(program => PACKAGES[program].split(' ')))]
  return `${absent.join(', ')} not found: apt-get install --no-install-recommends ${packages.join(' ')}`
}

export function isInstalled(program: Requirement): boolean {
  // An owner's PATH may lack the folders of root's programs.
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return folders.some(folder => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
