// scripts/setup.mjs in a project of its own, with stand-ins for npm, apt-get and sudo: what it asks of them, when, and
// what it says. The stand-ins write what they were called with to a file and "install" by making files.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findProgram } from '../../local/embedded/program.ts'

const LOCK = { packages: { '': {}, 'node_modules/a': { version: '1.0.0' }, 'node_modules/mac': { optional: true } } }
const DAEMONS = ['clamd', 'rspamd', 'redis-server', 'unbound']
const TEST_TOOLS = [
  ...['prometheus', 'prometheus-alertmanager', 'strace', 'openssl', 'swaks', 'curl', 'postfix', 'dovecot'],
  ...['shellcheck', 'slapd', 'pflogsumm', 'fail2ban-regex'],
]
const TEST_PACKAGES =
  'prometheus prometheus-alertmanager strace openssl swaks curl postfix dovecot-lmtpd shellcheck slapd pflogsumm fail2ban'
const TOOLS = ['sh', 'true', 'ls', 'rm', 'cp', 'chmod', 'touch']
const POLICY = '/usr/sbin/policy-rc.d'

let project: string
const at = (path: string) => join(project, path)
const calls = () => (existsSync(at('calls')) ? readFileSync(at('calls'), 'utf8').trim().split('\n') : [])

beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), 'elemta-setup-'))
  chmodSync(project, 0o755)
  for (const folder of ['scripts', 'bin', 'programs', 'node_modules/.bin']) mkdirSync(at(folder), { recursive: true })
  copyFileSync(new URL('../../scripts/setup.mjs', import.meta.url), at('scripts/setup.mjs'))
  writeFileSync(at('package-lock.json'), JSON.stringify(LOCK))
  for (const tool of TOOLS) symlinkSync(findProgram(tool, 'coreutils'), at(`bin/${tool}`))
  standIn(
    'npm',
    `echo npm $1 >> ${at('calls')}; cp ${at('package-lock.json')} ${at('node_modules/.package-lock.json')}`,
  )
  standIn('apt-get', `echo apt-get "$@" >> ${at('calls')}; case "$*" in *install*) ${install(DAEMONS)};; esac`)
  standIn('sudo', '[ "$1" != -n ] || shift; exec "$@"')
  installNpmPackages()
})

afterEach(() => rmSync(project, { recursive: true, force: true }))

const install = (programs: string[]) =>
  programs.map(name => `touch ${at(`programs/${name}`)}; chmod +x ${at(`programs/${name}`)}`).join('; ')

function standIn(name: string, script: string) {
  writeFileSync(at(`bin/${name}`), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
}

function installNpmPackages() {
  writeFileSync(
    at('node_modules/.package-lock.json'),
    JSON.stringify({ packages: { 'node_modules/a': { version: '1.0.0' } } }),
  )
  writeFileSync(at('node_modules/.bin/node'), '')
}

function have(...programs: string[]) {
  for (const name of programs) writeFileSync(at(`programs/${name}`), '', { mode: 0o755 })
}

/** Runs setup with the stand-ins and a shell's tools alone in PATH: the machine's own apt-get is out of reach. */
async function setup(...args: string[]): Promise<{ code: number; said: string }> {
  const PATH = at('bin')
  const script = [at('scripts/setup.mjs'), '--path', at('programs'), ...args]
  const child = spawn(process.execPath, script, { env: { PATH }, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', text => (said += text))
  const [code] = await once(child, 'close')
  return { code, said }
}

test('says and does nothing when all is there', async () => {
  have(...DAEMONS)
  expect(await setup()).toEqual({ code: 0, said: '' })
  expect(calls()).toEqual([])
})

test('installs the Debian packages that are missing, and only those', async () => {
  have('clamd', 'unbound')
  const { code, said } = await setup()
  expect(code).toBe(0)
  expect(said).toMatch(/^setup: installing Debian packages rspamd redis-server\nsetup: installed .* in [\d.]+ s\n$/)
  expect(calls().at(-1)).toMatch(/install -y --no-install-recommends .* rspamd redis-server$/)
})

test('renews the package lists when an installation fails, and tries again', async () => {
  standIn(
    'apt-get',
    `echo apt-get "$@" >> ${at('calls')}
    case "$*" in *update*) touch ${at('updated')};; *) [ -e ${at('updated')} ] || exit 100; ${install(DAEMONS)};; esac`,
  )
  const { code, said } = await setup('--required')
  expect(code).toBe(0)
  expect(said).toContain('installed Debian packages')
  expect(calls().map(call => /\b(update|install)\b/.exec(call)?.[0])).toEqual(
    expect.arrayContaining(['update', 'install']),
  )
  expect(calls().at(-1)).toContain('install')
})

test('tests need more packages than a start, sending needs none', async () => {
  have(...DAEMONS)
  standIn('apt-get', `echo "$@" >> ${at('calls')}; ${install(TEST_TOOLS)}`)
  expect(await setup('--for', 'test', '--required')).toMatchObject({ code: 0 })
  expect(calls().at(-1)).toMatch(new RegExp(` ${TEST_PACKAGES}$`))
  rmSync(at('programs'), { recursive: true })
  expect(await setup('--for', 'send', '--quiet')).toEqual({ code: 0, said: '' })
})

test('libraries that tests need are asked of dpkg', async () => {
  have(...DAEMONS, ...TEST_TOOLS)
  standIn('apt-get', `echo "$@" >> ${at('calls')}`)
  standIn(
    'dpkg-query',
    'case "$*" in *sasl*) echo Status: deinstall ok not-installed;; *) echo Status: install ok installed;; esac',
  )
  const { code, said } = await setup('--for', 'test', '--required')
  expect(code).toBe(1)
  expect(said).toMatch(/not installed: libsasl2-modules; [\s\S]*apt-get install \S+ \S+ libsasl2-modules\n/)
  expect(calls().at(-1)).toMatch(/--force-confold libsasl2-modules$/)
  expect(await setup()).toEqual({ code: 0, said: '' })
})

test('starts no service: a policy forbids it while apt-get runs, and is as before afterwards', async () => {
  const before = existsSync(POLICY) ? readFileSync(POLICY, 'utf8') : undefined
  standIn('apt-get', `cp ${POLICY} ${at('policy')} 2>/dev/null; ${install(DAEMONS)}`)
  await setup()
  expect(existsSync(POLICY) ? readFileSync(POLICY, 'utf8') : undefined).toBe(before)
  if (process.getuid?.() === 0) expect(readFileSync(at('policy'), 'utf8')).toMatch(before ?? /exit 101/)
})

test('a mail or LDAP server that only tests use is installed without a configuration to run with', async () => {
  standIn('apt-get', install([...DAEMONS, ...TEST_TOOLS]))
  standIn('debconf-set-selections', `while read -r line; do echo "$line" >> ${at('calls')}; done`)
  await setup()
  expect(calls()).toEqual([])
  rmSync(at('programs/postfix'))
  await setup('--for', 'test', '--required')
  expect(calls()).toEqual([
    'postfix postfix/main_mailer_type select No configuration',
    'slapd slapd/no_configuration boolean true',
  ])
})

test('without rights: names the packages and the command; a start goes on, tests do not', async () => {
  standIn('sudo', 'exit 1')
  rmSync(at('bin/apt-get'))
  have('unbound')
  const start = await setup('--quiet')
  expect(start.code).toBe(0)
  expect(start.said).toContain('neither root nor sudo')
  expect(start.said).toContain('not installed: clamd, rspamd, redis-server')
  expect(start.said).toContain('apt-get install -y --no-install-recommends clamav-daemon rspamd redis-server\n')
  expect(start.said).toContain('mail is accepted and waits')
  expect(await setup('--required')).toMatchObject({ code: 1 })
})

test('an installation that fails is told with apt-get’s own words', async () => {
  standIn('apt-get', 'echo "E: Unable to fetch some archives" >&2; exit 100')
  const { code, said } = await setup()
  expect(code).toBe(0)
  expect(said).toContain('exit code 100')
  expect(said).toContain('E: Unable to fetch some archives')
  expect(said).toContain('as root: apt-get install')
})

test('npm packages are installed when they are missing or not those of package-lock.json', async () => {
  have(...DAEMONS)
  rmSync(at('node_modules/.package-lock.json'))
  const first = await setup()
  expect(first).toMatchObject({ code: 0, said: expect.stringContaining('installed npm packages in') })
  writeFileSync(at('package-lock.json'), JSON.stringify({ packages: { 'node_modules/a': { version: '1.0.1' } } }))
  await setup()
  await setup()
  expect(calls()).toEqual(['npm install', 'npm install'])
})

test('without npm packages nothing can run: an error with npm’s own words', async () => {
  rmSync(at('node_modules'), { recursive: true })
  standIn('npm', 'echo "npm error network" >&2; exit 1')
  const { code, said } = await setup('--quiet')
  expect(code).toBe(1)
  expect(said).toMatch(/npm install ended with exit code 1[\s\S]*npm error network/)
})
