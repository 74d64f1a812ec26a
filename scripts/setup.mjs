// Puts in place what `npm start`, `npm test` and the others need: npm packages, then Debian packages. Runs before
// either is there: plain JavaScript for Node 20 without dependencies. What is there already costs some milliseconds
// and not a word. It never asks, and starts or stops no service of the system.
//
//   node scripts/setup.mjs [--for start|send|monitoring|test|local] [--required] [--quiet] [--path DIRECTORIES]
//
// Exit code 0 also when Debian packages cannot be had: the gateway then starts and mail waits. With --required
// (tests) that is 1. Without npm packages nothing runs: always 1.
import { spawn, spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Program to Debian package. */
const DAEMONS = { clamd: 'clamav-daemon', rspamd: 'rspamd', 'redis-server': 'redis-server', unbound: 'unbound' }
const MONITORING_PROGRAMS = {
  prometheus: 'prometheus', // with promtool
  'prometheus-alertmanager': 'prometheus-alertmanager', // with amtool
}
const TEST_PROGRAMS = {
  ...DAEMONS,
  ...MONITORING_PROGRAMS,
  strace: 'strace',
  openssl: 'openssl',
  swaks: 'swaks',
  curl: 'curl',
  postfix: 'postfix', // a sending MTA, and smtp-sink
  dovecot: 'dovecot-lmtpd',
  shellcheck: 'shellcheck',
  slapd: 'slapd',
  pflogsumm: 'pflogsumm',
  'fail2ban-regex': 'fail2ban',
}
/** Containers without a Docker, and what runs in them: test/local. */
const LOCAL_PROGRAMS = {
  ...DAEMONS,
  ...MONITORING_PROGRAMS,
  clamdscan: 'clamdscan',
  podman: 'podman',
  buildah: 'buildah',
  crun: 'crun',
  'docker-compose': 'docker-compose',
  catatonit: 'catatonit',
  iptables: 'iptables',
  curl: 'curl',
  wget: 'wget',
}
const PROGRAMS = {
  start: DAEMONS,
  send: {},
  monitoring: MONITORING_PROGRAMS,
  test: TEST_PROGRAMS,
  local: LOCAL_PROGRAMS,
}

/** Debian packages without a program, which dpkg is asked about: TLS for swaks, AUTH for Postfix as a client. */
const LIBRARIES = {
  start: [],
  send: [],
  monitoring: [],
  test: ['libnet-ssleay-perl', 'libsasl2-modules'],
  local: ['netavark', 'aardvark-dns'],
}

// As root, arguments: packages. Debian starts a daemon that it installs unless policy-rc.d says no; ours are started
// by the gateway, with their own configuration. A policy that is there already stays as it is. Postfix and slapd are
// told beforehand to configure nothing: so they have nothing to run with at the next boot either.
const INSTALL = `
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ] && { printf '#!/bin/sh\\nexit 101\\n' > $policy; } 2>/dev/null; then
  trap 'rm -f '$policy EXIT
  trap 'exit 130' INT TERM HUP
  chmod 755 $policy
fi
case " $* " in *' postfix '* | *' slapd '*)
  ! command -v debconf-set-selections >/dev/null || debconf-set-selections <<'END'
postfix postfix/main_mailer_type select No configuration
slapd slapd/no_configuration boolean true
END
esac
apt() { apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=2 -o Acquire::http::Timeout=30 "$@"; }
install() { apt install -y --no-install-recommends -o Dpkg::Options::=--force-confold "$@"; }
if ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1; then
  install "$@" || { apt update && install "$@"; } # the lists may be too old for what the mirror still has
else
  apt update && install "$@"
fi`

const { values } = parseArgs({
  options: {
    for: { type: 'string', default: 'start' },
    required: { type: 'boolean', default: false },
    quiet: { type: 'boolean', default: false },
    path: { type: 'string', default: `${process.env.PATH}:/usr/local/sbin:/usr/sbin:/sbin` },
  },
})
const programs = PROGRAMS[values.for]
if (!programs) fail(`--for ${values.for}: one of ${Object.keys(PROGRAMS).join(', ')}`)

await installNpmPackages()
await installDebianPackages()

async function installNpmPackages() {
  if (npmPackagesAreThere()) return
  // Not `npm ci`: it refuses a package-lock.json that lacks another platform's optional packages, as a mirror of the
  // registry leaves it. This installs the same versions and writes nothing into our files.
  const options = ['--no-save', '--include=dev', '--no-audit', '--no-fund', '--loglevel=http']
  const failure = await run('npm packages', ['npm', 'install', ...options])
  if (failure) fail(`npm install ${failure}`)
  if (!existsSync(join(root, 'node_modules/.bin/node'))) {
    fail('npm left no Node 24 behind: install scripts are switched off (npm config get ignore-scripts)')
  }
}

/** Whether node_modules holds what package-lock.json names; by content, since git gives files new dates. */
function npmPackagesAreThere() {
  const wanted = lockedPackages('package-lock.json')
  const found = lockedPackages('node_modules/.package-lock.json')
  if (!found || !existsSync(join(root, 'node_modules/.bin/node'))) return false
  return Object.entries(wanted ?? {}).every(([path, { version, optional, devOptional }]) => {
    if (path === '') return true
    return found[path] ? found[path].version === version : optional || devOptional // another platform's
  })
}

function lockedPackages(file) {
  try {
    return JSON.parse(readFileSync(join(root, file), 'utf8')).packages
  } catch {
    return undefined
  }
}

async function installDebianPackages() {
  const missing = missingDebianPackages()
  if (missing.length === 0) return
  const packages = missing.map(({ debianPackage }) => debianPackage)
  const asRoot = commandPrefix()
  const failure = asRoot
    ? await run(`Debian packages ${packages.join(' ')}`, [...asRoot, 'sh', '-c', INSTALL, 'sh', ...packages])
    : 'is not possible here: no apt-get, or neither root nor sudo'
  const still = failure ? missing : missingDebianPackages()
  if (still.length === 0) return

  const names = still.map(({ debianPackage }) => debianPackage)
  const command = `apt-get install -y --no-install-recommends ${names.join(' ')}`
  complain(`not installed: ${still.map(({ name }) => name).join(', ')}; installing ${failure ?? 'left them out'}`)
  complain(`as root: ${command}`)
  if (values.required) process.exit(1)
  complain('until then mail is accepted and waits; it is never passed on unscanned')
}

function missingDebianPackages() {
  const wanted = Object.entries(programs).filter(([program]) => !isThere(program, values.path))
  return [
    ...wanted.map(([name, debianPackage]) => ({ name, debianPackage })),
    ...LIBRARIES[values.for].filter(isNotInstalled).map(name => ({ name, debianPackage: name })),
  ]
}

/** False on another system than Debian: nobody can tell then, and what needs the library will say so. */
function isNotInstalled(library) {
  const { error, stdout } = spawnSync('dpkg-query', ['--status', library], { encoding: 'utf8' })
  return !error && !/^Status: \w+ \w+ installed$/m.test(stdout)
}

function isThere(program, path) {
  return path.split(delimiter).some(directory => {
    try {
      accessSync(join(directory || '.', program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** What goes before a command to run it as root; undefined when we may not. A terminal may give sudo its password. */
function commandPrefix() {
  const isInPath = program => isThere(program, process.env.PATH ?? '')
  if (!isInPath('apt-get')) return undefined
  if (process.getuid?.() === 0) return []
  if (!isInPath('sudo')) return undefined
  if (spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0) return ['sudo', '-n']
  return process.stdin.isTTY && process.stderr.isTTY ? ['sudo'] : undefined
}

/**
 * Runs the command and says how long it took, and every ten seconds how far it is: its last line. Returns undefined,
 * or what went wrong with the last lines of its output.
 */
async function run(what, [command, ...args]) {
  const start = Date.now()
  const seconds = () => `${((Date.now() - start) / 1000).toFixed(1)} s`
  say(`installing ${what}`)
  const lines = []
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', text => {
      lines.push(...text.split('\n').filter(line => line.trim()))
      lines.splice(0, lines.length - 200)
    })
  }
  const progress = setInterval(() => say(`${seconds()}: ${(lines.at(-1) ?? '').slice(0, 100)}`), 10_000)
  const how = await new Promise(resolve => {
    child.on('error', error => resolve(`could not be run: ${error.message}`))
    child.on('close', (code, signal) => resolve(code === 0 ? undefined : `ended with ${signal ?? `exit code ${code}`}`))
  })
  clearInterval(progress)
  if (how) return [`${how} after ${seconds()}:`, ...tellingLines(lines)].join('\n  ')
  say(`installed ${what} in ${seconds()}`)
  return undefined
}

/** The first errors, since npm ends with pages of advice; the last lines where none calls itself one. */
function tellingLines(lines) {
  const errors = lines.filter(line => /^(npm error \S|E:|Err:|dpkg: error)/.test(line))
  return errors.length > 0 ? errors.slice(0, 8) : lines.slice(-8)
}

function say(text) {
  if (!values.quiet) complain(text)
}

function complain(text) {
  process.stderr.write(`setup: ${text}\n`)
}

function fail(text) {
  complain(text)
  process.exit(1)
}
