// Finds a plugin of the site's own: a module, by path or by package name, whose default export makes the plugin.
// Throws an ExitError (configuration) that names the plugin and says what to do; nothing half-loaded stays behind.
// Node loads a module once: a reload makes a new plugin of the same code; changed code needs a restart.
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { EXIT, ExitError } from '../platform/exit.ts'
import { HOOKS, type Plugin, type PluginContext, type PluginFactory } from './plugin.ts'

/** Milliseconds for a module and its factory: what hangs here would hold up the start, or every later reload. */
const LOADING_TIME = 30_000

/** Paths are relative to the working directory, as all paths of the configuration. */
export async function loadPlugin(
  name: string,
  config: unknown,
  context: PluginContext,
  loadingTime = LOADING_TIME,
): Promise<Plugin> {
  let timer: NodeJS.Timeout | undefined
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(problem(name, `is not ready after ${loadingTime / 1000} s`)), loadingTime)
  })
  try {
    return await Promise.race([makePlugin(name, config, context), tooLate])
  } finally {
    clearTimeout(timer)
  }
}

async function makePlugin(name: string, config: unknown, context: PluginContext): Promise<Plugin> {
  const module = await importPlugin(name)
  const factory = (module as { default?: unknown }).default
  if (typeof factory !== 'function') throw problem(name, 'its module has no default export that is a function')
  let plugin: unknown
  try {
    plugin = await (factory as PluginFactory)(config, context)
  } catch (error) {
    throw problem(name, `it refuses its configuration: ${messageOf(error)}`, error)
  }
  const wrong = faultOf(plugin)
  if (wrong !== undefined) throw problem(name, wrong)
  return plugin as Plugin
}

function faultOf(plugin: unknown): string | undefined {
  if (typeof plugin !== 'object' || plugin === null) return 'its default export returns no plugin (an object of hooks)'
  const hooks = plugin as Record<string, unknown>
  const odd = [...HOOKS, 'close'].find(name => hooks[name] !== undefined && typeof hooks[name] !== 'function')
  if (odd !== undefined) return `its ${odd} is no function`
  if (HOOKS.some(name => hooks[name] !== undefined)) return undefined
  return `it has none of the hooks ${HOOKS.join(', ')}`
}

async function importPlugin(name: string): Promise<unknown> {
  const isPath = name.startsWith('.') || name.startsWith('/')
  try {
    return await import(isPath ? pathToFileURL(resolve(name)).href : packageUrl(name))
  } catch (error) {
    const remedy = isPath ? 'Correct the path under plugins' : `Install it (npm install ${name})`
    throw problem(name, `it cannot be loaded: ${messageOf(error)}. ${remedy}`, error)
  }
}

/** Packages are looked for from the working directory on, then beside Elemta. */
function packageUrl(name: string): string {
  try {
    return pathToFileURL(createRequire(resolve('package.json')).resolve(name)).href
  } catch {
    return name
  }
}

function problem(name: string, what: string, cause?: unknown): ExitError {
  return new ExitError(EXIT.config, `plugin ${name}: ${what}`, { cause })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
