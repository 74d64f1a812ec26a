// What is wrong with a configuration file, told so that it can be put right: where, which key, what was expected and
// the nearest valid name. All problems of a file travel in one ConfigError.
import type { z } from 'zod'

/** One problem. `line` and `column` count from 1 and are absent where there is no file to point into. */
export type ConfigProblem = Readonly<{
  file?: string
  line?: number
  column?: number
  /** `plugins[0].config.timeout`; '' for the file as a whole. */
  key: string
  message: string
}>

export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly ConfigProblem[]
  /** The message lists every problem, one a line. */
  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(formatProblem).join('\n'))
    this.problems = problems
  }
}

/** `config/elemta.yaml:12:7: plugins[0].config.timout: unknown key; did you mean "timeout"?` */
export function formatProblem({ file, line, column, key, message }: ConfigProblem): string {
  const place = [file, line, column].filter(part => part !== undefined).join(':')
  return [place, key, message].filter(part => part !== '').join(': ')
}

/** `plugins[0].config.timeout` */
export function formatKey(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`
    return text === '' ? String(part) : `${text}.${String(part)}`
  }, '')
}

const KINDS: Readonly<Record<string, string>> = {
  int: 'a whole number',
  number: 'a number',
  string: 'text',
  boolean: 'true or false',
  array: 'a list',
  object: 'a group of keys',
}

/** A sentence about what zod found wrong with `value`. */
export function describeIssue(issue: z.core.$ZodIssue, value: unknown): string {
  switch (issue.code) {
    case 'invalid_type': {
      const kind = KINDS[issue.expected] ?? issue.expected
      if (value === undefined) return `is missing: expected ${kind}`
      const remedy = value === null && issue.expected === 'array' ? ': write [] for an empty one' : ''
      return `expected ${kind}, not ${show(value)}${remedy}`
    }
    case 'invalid_value':
      return `expected ${oneOf(issue.values)}, not ${show(value)}${didYouMean(value, issue.values)}`
    case 'invalid_union': {
      if (!('options' in issue)) {
        const expected = kindsOf(issue).includes('a list') ? 'text or a list' : 'a number or text with a unit'
        return value === undefined ? `is missing: expected ${expected}` : `expected ${expected}, not ${show(value)}`
      }
      const options = issue.options as readonly string[]
      if (value === undefined) return `is missing: expected ${oneOf(options)}`
      return `there is no ${show(value)}: expected ${oneOf(options)}${didYouMean(value, options)}`
    }
    case 'too_small':
    case 'too_big': {
      const [relation, limit] = issue.code === 'too_small' ? ['least', issue.minimum] : ['most', issue.maximum]
      if (issue.origin === 'string' || issue.origin === 'array') return 'must not be empty'
      if (issue.inclusive === false) return `must be more than ${limit}, not ${show(value)}`
      return `must be at ${relation} ${limit}, not ${show(value)}`
    }
    default:
      return issue.message
  }
}

/** What the members of a union would be. */
function kindsOf({ errors }: z.core.$ZodIssueInvalidUnion): (string | undefined)[] {
  return errors.flat().map(error => (error.code === 'invalid_type' ? KINDS[error.expected] : undefined))
}

function oneOf(values: readonly unknown[]): string {
  const shown = values.map(String)
  return shown.length < 2 ? shown.join() : `${shown.slice(0, -1).join(', ')} or ${shown.at(-1)}`
}

function show(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (value === null) return 'nothing'
  return typeof value === 'object' ? 'a group of keys' : JSON.stringify(value)
}

/** `; did you mean "timeout"?`, or '' when nothing among `candidates` is near. */
export function didYouMean(value: unknown, candidates: readonly unknown[]): string {
  const near = nearest(String(value), candidates.map(String))
  return near === undefined ? '' : `; did you mean "${near}"?`
}

/** The candidate with the fewest edits, when they are few for its length. */
export function nearest(name: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined
  let fewest = Math.max(1, Math.floor(name.length / 3)) + 1
  for (const candidate of candidates) {
    const edits = editDistance(name.toLowerCase().replaceAll('-', '_'), candidate)
    if (edits < fewest) [best, fewest] = [candidate, edits]
  }
  return best
}

/** Insertions, deletions, substitutions and swaps of neighbours that turn `from` into `to`. */
function editDistance(from: string, to: string): number {
  let before: number[] = []
  let above = Array.from({ length: to.length + 1 }, (_, n) => n)
  for (let i = 1; i <= from.length; i++) {
    const row = [i]
    for (let j = 1; j <= to.length; j++) {
      const substitution = above[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1)
      const swap = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1] ? before[j - 2]! + 1 : i + j
      row.push(Math.min(substitution, swap, above[j]! + 1, row[j - 1]! + 1))
    }
    before = above
    above = row
  }
  return above[to.length]!
}
