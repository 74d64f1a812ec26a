// How functions are bundled: for the deployment, and for whoever bundles them without one (`npm run bundle`, tests, benchmarks).
// Dependencies are in the bundle, the SDK among them: a function that starts cold reads one file. Throws with esbuild's
// messages where a source cannot be bundled.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'

const FUNCTIONS = fileURLToPath(new URL('../functions/', import.meta.url))

/** Ways to credentials that the SDK tries after the one that functions have, their environment; never loaded there. */
const NEVER_LOADED = [
  '@aws-sdk/credential-provider-http',
  '@aws-sdk/credential-provider-ini',
  '@aws-sdk/credential-provider-login',
  '@aws-sdk/credential-provider-process',
  '@aws-sdk/credential-provider-sso',
  '@aws-sdk/credential-provider-web-identity',
  '@smithy/credential-provider-imds',
]

/** Writes functions/<name> as index.mjs, with its source map, into a directory. The same sources make the same octets. */
export function bundleFunction(name: string, directory: string): void {
  buildSync({
    entryPoints: [join(FUNCTIONS, name, 'handler.ts')],
    outfile: join(directory, 'index.mjs'),
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    mainFields: ['module', 'main'],
    external: NEVER_LOADED,
    minify: true,
    sourcemap: true,
    sourcesContent: false,
    logLevel: 'warning',
    // What was written for CommonJS asks for Node's own modules by require.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  })
}
