// Values that are not in the file itself: `${NAME}` and `${NAME:-default}` inside text, NAME_FILE in the environment
// (the name of a file that holds the value, as containers hand over secrets), and `<key>_file: PATH` for secret keys.
// `$${NAME}` stands for the text `${NAME}`. What cannot be had is reported, never replaced by nothing.
import { readFileSync } from 'node:fs'
import * as z from 'zod'
import { elementOf, isGroup, isSecret, keysOf, unwrap } from './config-shape.ts'

export type Environment = Readonly<Record<string, string | undefined>>

export type ResolveOptions = Readonly<{
  env: Environment
  /** Called for every value that cannot be had. */
  report: (path: readonly PropertyKey[], message: string) => void
}>

type Place = Readonly<{ schema: z.core.$ZodType | undefined; path: readonly PropertyKey[] }>

/** A copy of `value` (parsed YAML) with everything filled in; `schema` says where secrets and numbers are expected. */
export function resolveVariables(value: unknown, schema: z.core.$ZodType, options: ResolveOptions): unknown {
  return resolve(value, { schema, path: [] }, options)
}

function resolve(value: unknown, { schema, path }: Place, options: ResolveOptions): unknown {
  if (typeof value === 'string') return substitute(value, { schema, path }, options)
  if (Array.isArray(value)) {
    const element = elementOf(schema)
    return value.map((item, n) => resolve(item, { schema: element, path: [...path, n] }, options))
  }
  // A group whose keys are all commented out.
  if (value === null && schema !== undefined && unwrap(schema) instanceof z.ZodObject) return {}
  if (!isGroup(value)) return value

  const keys = keysOf(schema, value)
  const entries = Object.entries(value).map(([key, inner]) => {
    const at = [...path, key]
    const resolved = resolve(inner, { schema: keys.get(key), path: at }, options)
    const secret = key.replace(/_file$/, '')
    if (secret === key || !isSecret(keys.get(secret))) return [key, resolved]
    if (Object.hasOwn(value, secret)) options.report(at, `${secret} is given as well: leave one out`)
    return [secret, fileContent(resolved, at, options)]
  })
  return Object.fromEntries(entries)
}

function fileContent(file: unknown, path: readonly PropertyKey[], { report }: ResolveOptions): string {
  try {
    if (typeof file === 'string') return readFileSync(file, 'utf8').trim()
    report(path, 'expected the path of a file')
  } catch (error) {
    report(path, `cannot read ${file}: ${(error as Error).message}`)
  }
  return ''
}

function substitute(text: string, { schema, path }: Place, options: ResolveOptions): unknown {
  let found = false
  const filled = text.replace(/\$(\$?)\{([^}]*)\}/g, (whole, escaped: string, inner: string) => {
    if (escaped !== '') return whole.slice(1)
    found = true
    return lookUp(inner, path, options)
  })
  return found && schema !== undefined ? asExpected(filled, schema) : filled
}

function lookUp(expression: string, path: readonly PropertyKey[], { env, report }: ResolveOptions): string {
  const [, name, , fallback] = /^([A-Za-z_]\w*)(:-([\s\S]*))?$/.exec(expression) ?? []
  if (name === undefined) {
    report(
      path,
      `cannot read \${${expression}}: write \${NAME}, \${NAME:-default}, or $\${ for the characters themselves`,
    )
    return ''
  }
  const value = env[name]
  if (value !== undefined && (value !== '' || fallback === undefined)) return value
  const file = env[`${name}_FILE`]
  if (file !== undefined && file !== '') return fileContent(file, path, { env, report })
  if (fallback !== undefined) return fallback
  report(path, `the environment has neither ${name} nor ${name}_FILE; set one, or write \${${name}:-default}`)
  return ''
}

/** Variables are text; where text is not accepted but the number or truth value it spells is, it becomes that. */
function asExpected(text: string, schema: z.core.$ZodType): unknown {
  const number = text.trim() === '' ? Number.NaN : Number(text)
  const readings = [text, number, text === 'true' ? true : text === 'false' ? false : text]
  return readings.find(reading => z.safeParse(schema, reading).success) ?? text
}
