// A stage as `cdk synth` makes it, in a directory of its own: templates, and what `cdk deploy` would upload. Run as for
// a stranger: no credentials, no Docker.
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { STACKS, type StackPart } from '../../lib/names.ts'
import { zip } from '../pipeline/zip.ts'

// biome-ignore lint/suspicious/noExplicitAny: templates have no types
export type Resource = Readonly<{ Type: string; Properties?: Record<string, any>; [key: string]: unknown }>
export type Template = Readonly<{ Resources: Record<string, Resource>; [key: string]: unknown }>

/** What is uploaded before the stacks are made: into the bucket of `cdk bootstrap`. */
export type Asset = Readonly<{ key: string; content: Buffer }>

export type Synthesized = Readonly<{
  directory: string
  files: readonly string[]
  template(part: StackPart): Template
  assets(): readonly Asset[]
}>

const { context } = JSON.parse(readFileSync(new URL('../../cdk.json', import.meta.url), 'utf8'))

/** The directory is the caller's to remove. */
export async function synthesizeStage(stage: string): Promise<Synthesized> {
  const directory = mkdtempSync(join(tmpdir(), 'elemta-synth-'))
  await promisify(execFile)(process.execPath, ['bin/cdk.ts'], {
    env: { PATH: '/nowhere', CDK_OUTDIR: directory, CDK_CONTEXT_JSON: JSON.stringify({ ...context, stage }) },
  })
  const read = (name: string) => JSON.parse(readFileSync(join(directory, name), 'utf8'))
  const files = STACKS.map(part => `${part[0]!.toUpperCase()}${part.slice(1)}.template.json`)
  return {
    directory,
    files: files.map(file => join(directory, file)),
    template: part => read(files[STACKS.indexOf(part)]!),
    assets: () =>
      readdirSync(directory)
        .filter(name => name.endsWith('.assets.json'))
        .flatMap(name => assetsIn(read(name))),
  }

  function assetsIn({ files: listed }: AssetsFile): Asset[] {
    return Object.values(listed).flatMap(({ source, destinations }) => {
      const path = join(directory, source.path)
      const content = source.packaging === 'zip' ? zipped(path) : readFileSync(path)
      return Object.values(destinations).map(({ objectKey }) => ({ key: objectKey, content }))
    })
  }
}

type AssetsFile = Readonly<{
  files: Record<
    string,
    {
      source: { path: string; packaging: string }
      destinations: Record<string, { objectKey: string }>
    }
  >
}>

/** Of a function only what runs. */
function zipped(directory: string): Buffer {
  const [main] = readdirSync(directory).filter(name => name.endsWith('.mjs'))
  return zip(basename(main!), readFileSync(join(directory, main!)))
}
