// Every key of the configuration with its default, read out of its JSON Schema: `limits.connections`; of a plugin also
// without `config` (`updates.enabled`), since that is how people call it.
import { readFileSync } from 'node:fs'

type Schema = Readonly<{
  properties?: Readonly<Record<string, Schema>>
  items?: Schema
  anyOf?: readonly Schema[]
  oneOf?: readonly Schema[]
  default?: unknown
}>

const paths = new Map<string, unknown>()

function walk(schema: Schema, path: string): void {
  for (const [key, child] of Object.entries(schema.properties ?? {})) {
    const at = key === 'config' ? '' : path === '' ? key : `${path}.${key}`
    if (at !== '') paths.set(at, child.default)
    walk(child, at === 'plugins' ? '' : at)
  }
  for (const part of [schema.items, ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])]) if (part) walk(part, path)
}
walk(JSON.parse(readFileSync('config/elemta.schema.json', 'utf8')) as Schema, '')

/** Whole keys, and the last word of each. */
export const SETTINGS: ReadonlySet<string> = new Set([...paths.keys()].flatMap(key => [key, key.replace(/^.*\./, '')]))

/** By whole key, as a file would have it; only what has a default that is one value. */
export const DEFAULTS: ReadonlyMap<string, string> = new Map(
  [...paths].flatMap(([key, value]) =>
    typeof value === 'string' || typeof value === 'number' ? [[key, `${value}`]] : [],
  ),
)
