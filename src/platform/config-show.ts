// The effective configuration as YAML: every default filled in, units as people write them, secrets masked.
// Loading the output again gives the same Config (but for masked secrets).
import { stringify } from 'yaml'
import { z } from 'zod'
import { type Config, configSchema } from './config.ts'
import { elementOf, isGroup, isSecret, keysOf } from './config-shape.ts'

const MASK = '********'

/** YAML text that ends with a newline. */
export function formatConfig(config: Config): string {
  return stringify(printableConfig(config))
}

/** The same as a value: units as people write them, secrets masked. */
export function printableConfig(config: Config): unknown {
  return printable(z.encode(configSchema, config), configSchema)
}

function printable(value: unknown, schema: z.core.$ZodType | undefined): unknown {
  if (Array.isArray(value)) return value.map(item => printable(item, elementOf(schema)))
  if (isSecret(schema)) return value === undefined ? undefined : MASK
  // What looks like a variable is none any more: config-variables.ts reads $${ as ${.
  if (typeof value === 'string') return value.replaceAll('${', () => '$${')
  if (!isGroup(value)) return value
  const keys = keysOf(schema, value)
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, printable(inner, keys.get(key))]))
}
