// Writes what the container stack is made of and follows from something else (`npm run compose`): docker-compose-monitoring.yml
// in the root, the whole stack in one file, from those in local/ (1.29 knows no `include`); and what its emulator of AWS
// has to make. --check writes nothing and fails when they differ from their sources.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import { renderResources } from './local-resources.ts'

const ROOT = join(import.meta.dirname, '..')
const PARTS = ['local/docker-compose.yml', 'local/docker-compose-monitoring.yml'] as const
const HEAD = `# Written by \`npm run compose\` from ${PARTS.join(' and ')}: change those.
# The whole stack, after scripts/setup-local.sh: docker-compose -f docker-compose-monitoring.yml up -d. See local/README.md.
`

type Groups = Readonly<Record<string, Readonly<Record<string, unknown>>>>

/** Every file, by its path below the root of the repository. */
export function renderCompose(): Map<string, string> {
  return new Map([
    ['docker-compose-monitoring.yml', wholeStack()],
    ['local/aws/resources.json', renderResources()],
  ])
}

/** The groups of both files, seen from the root. Anchors are written out: what they stand for is in local/. */
function wholeStack(): string {
  const parts = PARTS.map(path => parse(readFileSync(join(ROOT, path), 'utf8'), { merge: true }) as Groups)
  const names = [...new Set(parts.flatMap(part => Object.keys(part)))].filter(name => !name.startsWith('x-'))
  const whole = Object.fromEntries(names.map(name => [name, Object.assign({}, ...parts.map(part => part[name]))]))
  // 1.29 reads YAML 1.1, where a bare `no` is no text.
  return HEAD + stringify(fromRoot(whole), { version: '1.1', lineWidth: 0, aliasDuplicateObjects: false })
}

/** Paths of local/: `./x` is `./local/x`, `../x` is `./x`. */
function fromRoot(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(fromRoot)
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, fromRoot(inner)]))
  }
  if (value === '..') return '.'
  return typeof value === 'string' ? value.replace(/^\.\.?\//, start => (start === '../' ? './' : './local/')) : value
}

function main(): number {
  const isThere = (path: string, text: string) => {
    try {
      return readFileSync(join(ROOT, path), 'utf8') === text
    } catch {
      return false
    }
  }
  const different = [...renderCompose()].filter(([path, text]) => !isThere(path, text))
  if (process.argv.includes('--check')) {
    for (const [path] of different) console.error(`${path} is not what its source says: run npm run compose`)
    return different.length === 0 ? 0 : 1
  }
  for (const [path, text] of different) writeFileSync(join(ROOT, path), text)
  console.log(`${different.length} files written`)
  return 0
}

if (import.meta.main) process.exitCode = main()
