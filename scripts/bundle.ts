// Bundles the Lambda functions as `cdk deploy` does, to look at them without it: `npm run bundle` writes dist/<name>/index.mjs
// and says how large each is. Also a module: tests and benchmarks bundle with it.
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundleFunction } from '../lib/function-bundling.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** Folders of functions/ with an entry point. */
export const FUNCTIONS = readdirSync(join(ROOT, 'functions'), { withFileTypes: true })
  .filter(entry => entry.isDirectory())
  .map(({ name }) => name)

/** Writes the bundle of a function below `directory` and returns its file and its octets. */
export function bundle(name: string, directory: string): { file: string; size: number } {
  bundleFunction(name, join(directory, name))
  const file = join(directory, name, 'index.mjs')
  return { file, size: statSync(file).size }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const name of FUNCTIONS) {
    const { file, size } = bundle(name, join(ROOT, 'dist'))
    console.log(`${String(Math.ceil(size / 1000)).padStart(5)} KB  ${file}`)
  }
}
