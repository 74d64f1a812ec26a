// The shape that docs/architecture.md promises: imports go one way, vendors appear only where their name says so.
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'

const SHARED = ['src/mail', 'src/platform', 'src/storage', 'src/auth', 'src/plugins', 'src/policy']
const STAGES = ['ingress', 'scan', 'deliver', 'spool', 'console']

/** Which folders a folder may import from, besides itself. */
const ALLOWED: Record<string, readonly string[]> = {
  'src/mail': [],
  'src/platform': ['src/mail'],
  'src/storage': ['src/mail', 'src/platform'],
  'src/auth': ['src/mail', 'src/platform', 'src/storage'],
  'src/plugins': ['src/mail', 'src/platform', 'src/storage'],
  'src/policy': ['src/mail', 'src/platform', 'src/storage', 'src/plugins'],
  ...Object.fromEntries(STAGES.map(stage => [`src/${stage}`, ['src/mail', 'src/platform', 'src/storage']])),
  'src/ingress': ['src/mail', 'src/platform', 'src/storage', 'src/plugins', 'src/auth'],
  // The composition root.
  src: ['src/mail', 'src/platform', 'src/storage'],
  // Rules, routes and dashboards know the metrics by their catalogue, and nothing else of the gateway.
  monitoring: ['src/mail', 'src/platform'],
  local: ['src', 'monitoring', ...SHARED, ...STAGES.map(stage => `src/${stage}`)],
  // What is deployed knows the shape of the storage (aws-schema), not how it is used: see below.
  lib: ['monitoring', 'src/platform', 'src/storage'],
  functions: ['local', 'src', 'monitoring', ...SHARED, ...STAGES.map(stage => `src/${stage}`)],
  // notify-slack is a function on AWS, and a container elsewhere.
  containers: ['functions', 'local', 'monitoring', 'src', ...SHARED, ...STAGES.map(stage => `src/${stage}`)],
  bin: ['lib', 'local', 'src', 'monitoring', ...SHARED, ...STAGES.map(stage => `src/${stage}`)],
  simulate: ['bin', 'functions', 'lib', 'local', 'src', ...SHARED, ...STAGES.map(stage => `src/${stage}`)],
}

const files = globSync('{bin,containers,functions,lib,local,monitoring,simulate,src}/**/*.ts').map(normalize)

function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8')
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(match => match[1]!)
}

function folderOf(file: string): string {
  const parts = file.split('/')
  return parts[0] === 'src' && parts.length > 2 ? `src/${parts[1]}` : parts[0]!
}

test('there is something to look at', () => {
  expect(files.length).toBeGreaterThan(30)
})

test('imports go one way, and stages never import each other', () => {
  const wrong = files.flatMap(file =>
    importsOf(file)
      .filter(target => target.startsWith('.'))
      .map(target => normalize(join(dirname(file), target)))
      .filter(target => {
        const [from, to] = [folderOf(file), folderOf(target)]
        return from !== to && !ALLOWED[from]?.includes(to)
      })
      .map(target => `${file} imports ${target}`),
  )
  expect(wrong).toEqual([])
})

test('a vendor is imported only in files that carry its name', () => {
  const wrong = files
    .filter(file => file.startsWith('src/') || file.startsWith('local/'))
    .flatMap(file =>
      importsOf(file)
        .filter(
          target =>
            (target === 'node:sqlite' && !file.endsWith('-sqlite.ts')) ||
            (target.startsWith('@aws-sdk/') && !/-(s3|sqs|dynamodb)\.ts$|^src\/backends/.test(file)),
        )
        .map(target => `${file} imports ${target}`),
    )
  expect(wrong).toEqual([])
})

test('the deployment knows of the storage only its shape', () => {
  const wrong = files
    .filter(file => file.startsWith('lib/'))
    .flatMap(file =>
      importsOf(file)
        .filter(target => target.includes('src/storage/') && !target.endsWith('/aws-schema.ts'))
        .map(target => `${file} imports ${target}`),
    )
  expect(wrong).toEqual([])
})

test('only the composition root knows the adapters, and the simulation, which is about them', () => {
  const adapter = /storage\/[^/]*-(sqlite|disk|s3|sqs|dynamodb)\.ts$/
  const wrong = files
    .filter(file => !/^(src\/storage|simulate)\//.test(file) && !/^src\/backends[^/]*\.ts$/.test(file))
    .flatMap(file =>
      importsOf(file)
        .filter(target => adapter.test(target))
        .map(target => `${file} imports ${target}`),
    )
  expect(wrong).toEqual([])
})

test('the environment is read in one place', () => {
  const readers = files.filter(file => /process\.env\b/.test(readFileSync(file, 'utf8')))
  expect(readers).toEqual(['src/platform/environment.ts'])
})
