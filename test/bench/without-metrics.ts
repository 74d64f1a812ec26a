// Preloaded into a server (`--import`): its metrics are there, and counting them does nothing. What is left of the time
// is what the server takes without instrumentation.
import { registerHooks } from 'node:module'

const METRICS = /\/src\/platform\/metrics\.ts$/
const SILENT = new URL('./silent-metrics.ts', import.meta.url).href

registerHooks({
  resolve(specifier, context, nextResolve) {
    const resolved = nextResolve(specifier, context)
    return METRICS.test(resolved.url) && context.parentURL !== SILENT ? { ...resolved, url: SILENT } : resolved
  },
})
