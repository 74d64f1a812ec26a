// A settings file of the monitoring, from text to typed values: YAML with places, then a zod schema. Every problem is
// reported at once with file, line, column and, for an unknown key, the nearest valid one, as one ConfigError.
import { readFileSync } from 'node:fs'
import type { z } from 'zod'
import { ConfigError, describeIssue, didYouMean, formatKey } from '../src/platform/config-errors.ts'
import { keysOf, schemaAt, valueAt } from '../src/platform/config-shape.ts'
import { readYaml } from '../src/platform/config-yaml.ts'

type Path = readonly PropertyKey[]

type Problem = Contradiction & { at: 'key' | 'value' }

/** What a rule that concerns several keys finds wrong. */
export type Contradiction = Readonly<{ path: Path; message: string }>

/** Reads and checks a file; `rules` are asked about what is valid by itself. Throws ConfigError, or that it is not there. */
export function loadSettingsFile<Schema extends z.ZodType>(
  schema: Schema,
  file: string,
  rules?: (settings: z.infer<Schema>) => readonly Contradiction[],
): z.infer<Schema> {
  return parseSettingsText(schema, readFileSync(file, 'utf8'), file, rules)
}

/** The same for text; `file` is what problems call it. */
export function parseSettingsText<Schema extends z.ZodType>(
  schema: Schema,
  text: string,
  file: string,
  rules: (settings: z.infer<Schema>) => readonly Contradiction[] = () => [],
): z.infer<Schema> {
  const source = readYaml(text, file)
  const result = schema.safeParse(source.value ?? {}) // an empty file asks for the defaults
  const found: Problem[] = []
  for (const issue of result.error?.issues ?? []) {
    if (issue.code !== 'unrecognized_keys') {
      const message = describeIssue(issue, valueAt(source.value, issue.path))
      found.push({ path: issue.path, at: 'value', message })
      continue
    }
    const valid = [...keysOf(schemaAt(schema, source.value, issue.path)).keys()]
    for (const key of issue.keys) {
      found.push({ path: [...issue.path, key], at: 'key', message: `unknown key${didYouMean(key, valid)}` })
    }
  }
  if (result.success) found.push(...rules(result.data).map(rule => ({ ...rule, at: 'value' as const })))
  const problems = found.map(({ path, at, message }) => {
    return { file, ...source.locate(path, at), key: formatKey(path), message }
  })
  if (result.success && problems.length + source.problems.length === 0) return result.data
  throw new ConfigError([...source.problems, ...problems])
}
