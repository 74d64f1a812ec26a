// Run once, when the image is built: fills Node's compile cache (NODE_COMPILE_CACHE) with every module of the gateway, so that
// no process strips types when it starts. That is 20 MB and a quarter of a second less for each. What starts something when it is
// imported is compiled without being run. A module whose packages the image does not have is left out; anything else fails.
import { globSync } from 'node:fs'
import { flushCompileCache, getCompileCacheDir } from 'node:module'
import { pathToFileURL } from 'node:url'

const FOLDERS = '{bin,containers,functions,local,monitoring,src}'
/** Modules are all compiled before the first of them is run, which ends it. */
const STOP = 'compiled, not run'

if (getCompileCacheDir() === undefined) throw new Error('NODE_COMPILE_CACHE names no directory that can be written to')
// These are run, and with them the packages that they need: CommonJS is compiled when it runs.
await Promise.all(['local/serve.ts', 'src/backends-aws.ts'].map(file => import(pathToFileURL(file).href)))
for (const file of globSync(`${FOLDERS}/**/*.ts`)) {
  const lines = [`data:text/javascript,throw ${JSON.stringify(STOP)}`, pathToFileURL(file).href]
  const text = lines.map(specifier => `import ${JSON.stringify(specifier)}`).join('\n')
  await import(`data:text/javascript,${encodeURIComponent(text)}`).catch((error: unknown) => {
    if (error !== STOP && (error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
  })
}
flushCompileCache()
