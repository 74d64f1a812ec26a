// The effective configuration as YAML: every default filled in, units as people write them, secrets masked.
// Loading the output again gives the same Config (but for masked secrets).
import { stringify } from 'yaml'
import * as z from 'zod'
import { type Config, configSchema } from './config.ts'
import { elementOf, isGroup, isSecret, keysOf } from './config-shape.ts'

const MASK = '********'

/** Of settings that only a plugin of the site's own knows. */
const SOUNDS_SECRET = /(passw(or)?d|passphrase|secret|token|key|credentials?)$/i
/** A password in a URL, a customer's key in the name of a denylist. */
const WITHIN = [/(?<=:\/\/[^/@:\s]*:)[^/@\s]+(?=@)/g, /^[a-z0-9]{16,}(?=\.[a-z]+\.dq\.spamhaus\.net$)/gi]

/** YAML text that ends with a newline. */
export function formatConfig(config: Config): string {
  return stringify(printableConfig(config))
}

/** The same as a value: units as people write them, secrets masked. */
export function printableConfig(config: Config): unknown {
  return printable(z.encode(configSchema, config), configSchema)
}

function printable(value: unknown, schema: z.core.$ZodType | undefined, name = ''): unknown {
  if (Array.isArray(value)) return value.map(item => printable(item, elementOf(schema), name))
  if (isSecret(schema) || (schema === undefined && !isGroup(value) && SOUNDS_SECRET.test(name))) {
    return value === undefined ? undefined : MASK
  }
  if (typeof value === 'string') {
    const masked = WITHIN.reduce((text, pattern) => text.replace(pattern, MASK), value)
    // What looks like a variable is none any more: config-variables.ts reads $${ as ${.
    return masked.replaceAll('${', () => '$${')
  }
  if (!isGroup(value)) return value
  const keys = keysOf(schema, value)
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, printable(inner, keys.get(key), key)]))
}
