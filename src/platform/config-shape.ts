// Which keys and elements a place of the configuration has, asked of the schema itself, so that suggestions,
// variables and secrets need no list of their own.
import * as z from 'zod'

type Schema = z.core.$ZodType

const NO_KEYS: ReadonlyMap<string, Schema> = new Map()

/** The type itself, without the wrappers that give it a default or make it optional. */
export function unwrap(schema: Schema): Schema {
  let inner = schema
  while (inner instanceof z.ZodPrefault || inner instanceof z.ZodOptional) inner = inner.unwrap()
  return inner
}

/** The keys of an object type; of a union, those of the member that `value` names; of anything else none. */
export function keysOf(schema: Schema | undefined, value?: unknown): ReadonlyMap<string, Schema> {
  const type = schema && unwrap(schema)
  if (type instanceof z.ZodObject) return new Map(Object.entries(type.shape))
  if (!(type instanceof z.ZodUnion) || !isGroup(value)) return NO_KEYS
  const option = type.options.find(option => isNamed(option, value))
  return option === undefined ? NO_KEYS : keysOf(option, value)
}

/** Which member of a union of groups `value` means by its name; the first where the name means none; else undefined. */
export function memberOf(schema: Schema | undefined, value: unknown): number | undefined {
  const type = schema && unwrap(schema)
  if (!(type instanceof z.ZodUnion) || type instanceof z.ZodDiscriminatedUnion || !isGroup(value)) return undefined
  return Math.max(
    0,
    type.options.findIndex(option => isNamed(option, value)),
  )
}

function isNamed(option: Schema, value: Record<string, unknown>): boolean {
  const name = keysOf(option, value).get('name')
  return name !== undefined && z.safeParse(name, value.name).success
}

/** The type of a list's elements. */
export function elementOf(schema: Schema | undefined): Schema | undefined {
  const type = schema && unwrap(schema)
  return type instanceof z.ZodArray ? type.element : undefined
}

/** The type at `path`, as far as `value` (the whole file's) leads there. */
export function schemaAt(schema: Schema, value: unknown, path: readonly PropertyKey[]): Schema | undefined {
  let type: Schema | undefined = schema
  let here = value
  for (const part of path) {
    if (type === undefined) return undefined
    type = typeof part === 'number' ? elementOf(type) : keysOf(type, here).get(String(part))
    here = valueAt(here, [part])
  }
  return type
}

/** What stands at `path` of parsed YAML; undefined where it leads nowhere. */
export function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let here = value
  for (const part of path) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, part)) return undefined
    here = (here as Record<PropertyKey, unknown>)[part]
  }
  return here
}

/** `config show` must not print it, and `<key>_file` may stand in its place. */
export function isSecret(schema: Schema | undefined): boolean {
  return schema !== undefined && z.globalRegistry.get(unwrap(schema))?.writeOnly === true
}

export function isGroup(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
