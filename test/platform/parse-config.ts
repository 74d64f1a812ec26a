// Configurations as the tests write them: a YAML text, and what comes of it.
import type { Config } from '../../src/platform/config.ts'
import { ConfigError } from '../../src/platform/config-errors.ts'
import { parseConfig } from '../../src/platform/config-load.ts'
import type { Environment } from '../../src/platform/config-variables.ts'

export function configOf(yaml: string, env: Environment = {}): Config {
  return parseConfig(yaml, { file: 'elemta.yaml', env })
}

/** The problems of a text that must not be accepted, one line each, as a person sees them. */
export function problemsOf(yaml: string, env: Environment = {}): string[] {
  try {
    configOf(yaml, env)
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n')
    throw error
  }
  throw new Error('this configuration was accepted')
}
