// Images under the names of others' ones, for a machine that reaches no registry (with-containers.sh): the same programs
// from Debian's packages, with the users, paths and entry points that the real images have. What has no package here
// (Grafana, Mailpit) is a small program of ours that speaks as much of it as the stack uses, and says so in its name.
//   node test/local/stand-ins.ts FILE...      for each image that the Dockerfiles and compose files name
// Fails for an image that nobody has a stand-in for.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { parse } from 'yaml'
import { STAND_INS } from './stand-in-images.ts'
import { makeSkeleton } from './stand-in-root.ts'

/** Makes the image, under its full name. */
export function makeStandIn(image: string): void {
  const full = fullName(image)
  const standIn = STAND_INS[full.replace(/[:@][^/]*$/, '')]
  if (standIn === undefined)
    throw new Error(`${image}: nobody has made a stand-in for it: test/local/stand-in-images.ts`)
  const root = mkdtempSync(join(tmpdir(), 'stand-in-'))
  try {
    makeSkeleton(root, standIn.skeleton)
    mkdirSync(join(root, 'etc'), { recursive: true })
    if (standIn.machine.length > 0)
      writeFileSync(join(root, '.stand-in'), standIn.machine.map(line => `${line}\n`).join(''))
    standIn.build?.(root)
    const archive = execFileSync('tar', ['--create', '--directory', root, '.'], { maxBuffer: 2 ** 30 })
    const changes = standIn.changes.flatMap(change => ['--change', change])
    execFileSync('podman', ['import', '--quiet', ...changes, '-', full], {
      input: archive,
      stdio: ['pipe', 'pipe', 'pipe'],
    })
  } finally {
    rmSync(root, { recursive: true })
  }
}

/** What a Dockerfile builds on, or a compose file runs without building it. Variables count as their defaults. */
export function imagesOf(file: string): readonly string[] {
  const text = readFileSync(file, 'utf8')
  if (!/\.ya?ml$/.test(file)) return imagesOfDockerfile(text)
  const { services = {} } = parse(text, { merge: true }) as { services?: Record<string, Service> }
  return Object.entries(services).flatMap(([, { image, build }]) => {
    if (build !== undefined) {
      const { context = '.', dockerfile = 'Dockerfile' } = typeof build === 'string' ? { context: build } : build
      return imagesOf(join(dirname(file), context, dockerfile))
    }
    return image === undefined ? [] : [image.replace(/\$\{\w+:-([^}]*)\}/g, '$1')]
  })
}

type Service = Readonly<{ image?: string; build?: string | { context?: string; dockerfile?: string } }>

function imagesOfDockerfile(text: string): readonly string[] {
  const defaults = new Map([...text.matchAll(/^ARG (\w+)=(\S+)/gm)].map(([, name, value]) => [name!, value!]))
  const stages = new Set([...text.matchAll(/^FROM .* AS (\w+)/gim)].map(([, name]) => name))
  const named = [...text.matchAll(/^FROM (\S+)/gm), ...text.matchAll(/^COPY --from=(\S+)/gm)]
  return named
    .map(([, image]) => image!.replace(/\$\{?(\w+)\}?/g, (_, name) => defaults.get(name) ?? ''))
    .filter(image => image !== 'scratch' && !stages.has(image))
}

/** As Docker reads it: without a registry it is Docker Hub's; without a tag `latest`. */
export function fullName(image: string): string {
  const [first = ''] = image.split('/')
  const named =
    image.includes('/') && /[.:]|^localhost$/.test(first)
      ? image
      : `docker.io/${image.includes('/') ? '' : 'library/'}${image}`
  return /[:@]/.test(basename(named)) ? named : `${named}:latest`
}

if (process.argv[1] === import.meta.filename) {
  for (const image of new Set(process.argv.slice(2).flatMap(imagesOf))) {
    makeStandIn(image)
    console.log(fullName(image))
  }
}
