// What stand-ins need and cannot get where no network is: fetched beforehand by fetch-downloads.sh, into the user's cache.
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { environment } from '../../src/platform/environment.ts'

const CACHE = join(environment.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'elemta')

/** LocalStack and MiniStack: scripts/setup-emulators.sh. */
export const EMULATORS = environment.ELEMTA_EMULATORS ?? join(CACHE, 'emulators')

/** What the gateway's packages are installed from. */
export const NPM_CACHE = join(CACHE, 'npm')

/** Patterns as rspamd compiles them at its first start. */
export const RSPAMD_PATTERNS = join(CACHE, 'rspamd-patterns')

/** Where that cache was filled from. */
export function npmRegistry(): string {
  return readFileSync(join(NPM_CACHE, 'registry'), 'utf8').trim()
}

/** Where the emulators' Pythons live, as far as that is not in /usr. */
export function pythons(): readonly string[] {
  const homes = ['localstack', 'ministack'].map(name => {
    const file = join(EMULATORS, name, 'pyvenv.cfg')
    const [, home] = (existsSync(file) && /^home = (.*)$/m.exec(readFileSync(file, 'utf8'))) || []
    return home
  })
  return [...new Set(homes.filter(home => home !== undefined && !home.startsWith('/usr/')).map(home => dirname(home!)))]
}
