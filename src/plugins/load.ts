// Finds a plugin of the site's own: a module, by path or by package name, whose default export makes the plugin.
// Throws an ExitError (configuration) that names the plugin and says what to do; nothing half-loaded stays behind.
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { EXIT, ExitError } from '../platform/exit.ts'
import type { Plugin, PluginContext, PluginFactory } from './plugin.ts'

/** Paths are relative to the working directory, as all paths of the configuration. */
export async function loadPlugin(name: string, config: unknown, context: PluginContext): Promise<Plugin> {
  const module = await importPlugin(name)
  const factory = (module as { default?: unknown }).default
  if (typeof factory !== 'function') {
    throw new ExitError(EXIT.config, `plugin ${name}: its module has no default export that is a function`)
  }
  try {
    return await (factory as PluginFactory)(config, context)
  } catch (error) {
    const { message } = error as Error
    throw new ExitError(EXIT.config, `plugin ${name}: it refuses its configuration: ${message}`, { cause: error })
  }
}

async function importPlugin(name: string): Promise<unknown> {
  const isPath = name.startsWith('.') || name.startsWith('/')
  try {
    return await import(isPath ? pathToFileURL(resolve(name)).href : name)
  } catch (error) {
    const { message } = error as Error
    const remedy = isPath ? 'Correct the path under plugins' : `Install it (npm install ${name})`
    throw new ExitError(EXIT.config, `plugin ${name} cannot be loaded: ${message}. ${remedy}`, { cause: error })
  }
}
