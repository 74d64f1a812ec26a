// What differs between two configurations, key by key, in the words of the file and without secrets: what a reload
// tells in the log. Pure.
import { type Config, configSchema } from './config.ts'
import { formatKey } from './config-errors.ts'
import { isGroup, isSecret, schemaAt } from './config-shape.ts'
import { printableConfig } from './config-show.ts'

/** `from` or `to` is undefined where the key is not there. */
export type ConfigChange = Readonly<{ key: string; path: readonly PropertyKey[]; from: unknown; to: unknown }>

export function configChanges(before: Config, after: Config): ConfigChange[] {
  const [from, to] = [printableConfig(before), printableConfig(after)]
  const masked = compare(from, to, [])
  return [...masked, ...changedSecrets(before, after, [], masked)]
}

function compare(from: unknown, to: unknown, path: readonly PropertyKey[]): ConfigChange[] {
  if (Array.isArray(from) && Array.isArray(to) && [...from, ...to].some(isGroup)) {
    const length = Math.max(from.length, to.length)
    return Array.from({ length }, (_, n) => compare(from[n], to[n], [...path, n])).flat()
  }
  if (isGroup(from) && isGroup(to)) {
    const keys = new Set([...Object.keys(from), ...Object.keys(to)])
    return [...keys].flatMap(key => compare(from[key], to[key], [...path, key]))
  }
  return JSON.stringify(from) === JSON.stringify(to) ? [] : [{ key: formatKey(path), path, from, to }]
}

/** A secret looks the same before and after: that it changed is told all the same. */
function changedSecrets(
  before: unknown,
  after: unknown,
  path: readonly PropertyKey[],
  told: readonly ConfigChange[],
  whole: unknown = after,
): ConfigChange[] {
  if (isGroup(after) || Array.isArray(after)) {
    return Object.keys(after).flatMap(name => {
      const key = Array.isArray(after) ? Number(name) : name
      const inner = (value: unknown) => (value as Record<PropertyKey, unknown> | undefined)?.[key]
      return changedSecrets(inner(before), inner(after), [...path, key], told, whole)
    })
  }
  const key = formatKey(path)
  if (before === after || !isSecret(schemaAt(configSchema, whole, path)) || told.some(change => change.key === key)) {
    return []
  }
  return [{ key, path, from: '(secret)', to: '(another secret)' }]
}
