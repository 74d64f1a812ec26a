// From the file to a Config: YAML, variables, types, rules. All problems of the file are reported together, each with
// file, line and column, as one ConfigError; nothing is guessed and nothing half-valid gets through.
// Relative paths in the file are relative to the working directory.
import { existsSync, readFileSync } from 'node:fs'
import type { z } from 'zod'
import { type Config, configSchema } from './config.ts'
import { ConfigError, describeIssue, didYouMean, formatKey } from './config-errors.ts'
import { type Contradiction, contradictions } from './config-rules.ts'
import { isGroup, isSecret, keysOf, memberOf, schemaAt, valueAt } from './config-shape.ts'
import { type Environment, resolveVariables } from './config-variables.ts'
import { type Located, readYaml } from './config-yaml.ts'
import { environment } from './environment.ts'

type Path = readonly PropertyKey[]

/** More than the levels of nesting in the schema. */
const MAX_DEPTH = 6

/** Where the configuration is looked for when none is named, in this order. */
export const CONFIG_FILES = ['./config/elemta.yaml', '/etc/elemta/elemta.yaml'] as const

/** The whole configuration as text, for containers and functions, which have no files of their own. A file that is named wins. */
export const CONFIG_VARIABLE = 'ELEMTA_CONFIG_YAML'

/** The file that is used when `named` is not given; throws ConfigError when there is none. */
export function findConfigFile(named?: string): string {
  const found = [named ?? CONFIG_FILES].flat().find(file => existsSync(file))
  if (found !== undefined) return found
  const message =
    named === undefined
      ? `there is no configuration file: tried ${CONFIG_FILES.join(' and ')}; name one with --config FILE`
      : `there is no such file: ${named}`
  throw new ConfigError([{ key: '', message }])
}

/** Reads and checks a configuration file, or the variable; throws ConfigError with all of its problems. */
export function loadConfig(named?: string, env: Environment = environment): Config {
  const text = named === undefined ? env[CONFIG_VARIABLE] : undefined
  if (text !== undefined) return parseConfig(text, { file: CONFIG_VARIABLE, env })
  const file = findConfigFile(named)
  return parseConfig(readText(file), { file, env })
}

/** The same while we run: an empty file, as a program leaves it while it writes, does not mean the defaults. */
export function reloadConfig(named?: string, env: Environment = environment): Config {
  if (named === undefined && env[CONFIG_VARIABLE] !== undefined) return loadConfig(named, env)
  const file = findConfigFile(named)
  const text = readText(file)
  if (text.trim() !== '') return parseConfig(text, { file, env })
  throw new ConfigError([{ file, key: '', message: 'is empty' }])
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new ConfigError([{ file, key: '', message: `cannot be read: ${(error as Error).message}` }])
  }
}

/** The same for text that came from somewhere else; `file` is what problems call it. */
export function parseConfig(text: string, { file, env }: Readonly<{ file: string; env: Environment }>): Config {
  const source = readYaml(text, file)
  const reported: Located[] = [...source.problems]
  const report = (path: Path, message: string, at: 'key' | 'value' = 'value') => {
    const key = formatKey(path)
    // A value that could not be had, or is of the wrong kind, is not worth a second complaint.
    if (!reported.some(problem => problem.key === key))
      reported.push({ file, ...source.locate(path, at), key, message })
  }

  const written = resolveVariables(source.value, configSchema, { env, report })
  const result = configSchema.safeParse(written)
  const wrong: Path[] = []
  for (const issue of (result.error?.issues ?? []).flatMap(issue => issuesBehind(issue, written))) {
    if (issue.code !== 'unrecognized_keys') {
      wrong.push(issue.path)
      report(issue.path, describeIssue(issue, valueAt(written, issue.path)))
      continue
    }
    const valid = validKeys(written, issue.path)
    for (const key of issue.keys) {
      wrong.push([...issue.path, key])
      report([...issue.path, key], `unknown key${didYouMean(key, valid)}`, 'key')
    }
  }
  for (const { path, message } of brokenRules(written, wrong)) report(path, message)
  if (result.success && reported.length === 0) return result.data
  const inOrder = reported.toSorted((one, other) => one.line - other.line || one.column - other.column)
  throw new ConfigError(inOrder)
}

/** What is wrong with the member that a value of a union means, instead of: that it is none of them. */
function issuesBehind(issue: z.core.$ZodIssue, written: unknown): readonly z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [issue]
  const member = memberOf(schemaAt(configSchema, written, issue.path), valueAt(written, issue.path))
  const behind = member === undefined ? undefined : issue.errors[member]
  return behind?.map(inner => ({ ...inner, path: [...issue.path, ...inner.path] })) ?? [issue]
}

function validKeys(written: unknown, path: Path): string[] {
  const schema = schemaAt(configSchema, written, path)
  const keys = keysOf(schema, valueAt(written, path))
  return [...keys].flatMap(([key, type]) => (isSecret(type) ? [key, `${key}_file`] : [key]))
}

/**
 * Contradictions in what is left of the file once everything that is wrong by itself is taken out, so that one typing
 * error does not hide them. What follows from a key that had to go is not reported: it may be untrue.
 */
function brokenRules(written: unknown, wrong: readonly Path[]): readonly Contradiction[] {
  const rest = structuredClone(written)
  const gone: Path[] = []
  let remove = wrong
  for (let round = 0; round < MAX_DEPTH; round++) {
    // From the back, so that indices still mean what they meant.
    for (const path of remove.toReversed()) gone.push(...removeAt(rest, path))
    const { data, error } = configSchema.safeParse(rest)
    if (data !== undefined) {
      const doubtful = (read: Path) => gone.some(path => startsWith(path, read) || startsWith(read, path))
      return contradictions(data).filter(({ reads }) => !reads.some(doubtful))
    }
    // A required key is missing: the group that needs it goes as a whole.
    remove = error.issues.flatMap(issue => issuesBehind(issue, rest)).map(({ path }) => path.slice(0, -1))
  }
  return []
}

/** Takes out what is at `path` and returns the paths that do not mean any more what they meant. */
function removeAt(value: unknown, path: Path): Path[] {
  const parent = valueAt(value, path.slice(0, -1))
  const last = path.at(-1)
  if (Array.isArray(parent) && typeof last === 'number') {
    const moved = parent.slice(last).map((_, n) => [...path.slice(0, -1), last + n])
    parent.splice(last, 1)
    return moved
  }
  if (isGroup(parent) && last !== undefined) delete parent[String(last)]
  return [path]
}

function startsWith(path: Path, start: Path): boolean {
  return start.every((part, n) => path[n] === part)
}
