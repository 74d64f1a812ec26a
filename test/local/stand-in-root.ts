// The roots of stand-ins: what an image of a distribution has beside programs. `debian` is complete but for /usr, which comes
// from this machine; `alpine` has the few programs that are mounted into it by name; `distroless` has real files of Debian's
// packages and no shell; `empty` has nothing.
import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  cpSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'

export type Skeleton = 'debian' | 'alpine' | 'distroless' | 'empty'

/** What a stand-in on Debian has of this machine: programs and libraries, and nothing that our images put files into. */
export const DEBIAN_USR = [
  '/usr/bin',
  '/usr/sbin',
  '/usr/lib',
  '/usr/lib64',
  '/usr/libexec',
  '/usr/share/perl',
  '/usr/share/ca-certificates',
]

/** A shell, and what busybox has that scripts and health checks use; libraries for them. */
export const ALPINE_USR = [
  '/usr/lib',
  '/usr/lib64',
  ...[
    'sh',
    'cat',
    'cp',
    'mkdir',
    'rm',
    'sleep',
    'grep',
    'sed',
    'wget',
    'id',
    'ls',
    'printf',
    'env',
    'chown',
    'chmod',
    'head',
  ].map(name => `/usr/bin/${name}:/bin/${name}`),
]

/** https://github.com/GoogleContainerTools/distroless: cc is base, which is static with glibc and OpenSSL, with libgcc and libstdc++. */
const DISTROLESS_PACKAGES = [
  'base-files',
  'netbase',
  'tzdata',
  'ca-certificates',
  'libc6',
  'libssl3',
  'libgcc-s1',
  'libgomp1',
  'libstdc++6',
]

export function makeSkeleton(root: string, kind: Skeleton): void {
  if (kind === 'empty') return
  for (const directory of [
    'tmp',
    'proc',
    'sys',
    'dev',
    'run',
    'root',
    'home',
    'usr',
    'etc',
    'var/tmp',
    'var/lib',
    'var/log',
  ]) {
    mkdirSync(join(root, directory), { recursive: true })
  }
  for (const directory of ['tmp', 'var/tmp']) chmodSync(join(root, directory), 0o1777)
  switch (kind) {
    case 'debian':
      for (const directory of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${directory}`, join(root, directory))
      for (const file of [
        'passwd',
        'group',
        'nsswitch.conf',
        'ld.so.cache',
        'ld.so.conf',
        'ld.so.conf.d',
        'ssl',
        'alternatives',
      ]) {
        cpSync(join('/etc', file), join(root, 'etc', file), { recursive: true, verbatimSymlinks: true })
      }
      return
    case 'alpine':
      mkdirSync(join(root, 'bin'))
      for (const directory of ['lib', 'lib64']) symlinkSync(`usr/${directory}`, join(root, directory))
      cpSync('/etc/ld.so.cache', join(root, 'etc/ld.so.cache'))
      writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n')
      writeFileSync(join(root, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n')
      return
    case 'distroless':
      for (const directory of ['bin', 'sbin', 'lib', 'lib64']) {
        mkdirSync(join(root, 'usr', directory), { recursive: true })
        symlinkSync(`usr/${directory}`, join(root, directory))
      }
      for (const file of DISTROLESS_PACKAGES.flatMap(filesOf)) copyInto(root, file)
      copyInto(root, '/etc/ssl/certs/ca-certificates.crt')
      writeFileSync(
        join(root, 'etc/passwd'),
        'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n',
      )
      writeFileSync(join(root, 'etc/group'), 'root:x:0:\nnonroot:x:65532:\n')
      return
  }
}

/** Adds a user as the real image has it, in place of this machine's user of that name. */
export function addUser(root: string, name: string, id: number, group = id): void {
  for (const [file, line] of [
    ['passwd', `${name}:x:${id}:${group}::/:/usr/sbin/nologin\n`],
    ['group', `${name}:x:${group}:\n`],
  ] as const) {
    const path = join(root, 'etc', file)
    const others = readFileSync(path, 'utf8')
      .split('\n')
      .filter(other => other !== '' && !other.startsWith(`${name}:`))
    writeFileSync(path, others.map(other => `${other}\n`).join(''))
    appendFileSync(path, line)
  }
}

/** A file from this machine, at the same place or at another. */
export function copyInto(root: string, from: string, to = from): void {
  mkdirSync(join(root, dirname(to)), { recursive: true })
  cpSync(from, join(root, to), { recursive: true, verbatimSymlinks: true, force: true })
}

/** A program of the stand-in's own. */
export function putProgram(root: string, path: string, text: string): void {
  mkdirSync(join(root, dirname(path)), { recursive: true })
  writeFileSync(join(root, path), text, { mode: 0o755 })
}

/** Files and links of an installed Debian package, without documentation and translations. */
function filesOf(debianPackage: string): readonly string[] {
  return execFileSync('dpkg-query', ['--listfiles', debianPackage], { encoding: 'utf8' })
    .split('\n')
    .filter(file => file !== '' && !/^\/usr\/share\/(doc|man|locale|lintian|bug)|\/(s?bin)\//.test(file))
    .filter(file => statSync(file, { throwIfNoEntry: false })?.isDirectory() === false)
}
