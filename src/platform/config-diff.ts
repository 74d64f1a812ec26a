// What differs between two configurations, key by key, in the words of the file and without secrets: what a reload
// tells in the log. Plugins are compared by their names, so that one more in front is one change. Pure.
import * as z from 'zod'
import { type Config, configSchema } from './config.ts'
import { isGroup } from './config-shape.ts'
import { printableConfig } from './config-show.ts'

/** `key` as in the file, but `plugins[NAME]`. `from` or `to` is undefined where the key is not there. */
export type ConfigChange = Readonly<{ key: string; from: unknown; to: unknown }>

/** A value, and how it may be shown. */
type Pair = Readonly<{ value: unknown; shown: unknown }>

export function configChanges(before: Config, after: Config): ConfigChange[] {
  const [from, to] = [pairOf(before), pairOf(after)]
  const others = (pair: Pair) => mapped(pair, config => ({ ...(config as Config), plugins: undefined }))
  const named = (pair: Pair) => mapped(inner(pair, 'plugins'), byName)
  return [
    ...compare(others(from), others(to), String),
    ...compare(named(from), named(to), name => `plugins[${name}]`),
    ...changedOrder(before, after),
  ]
}

function pairOf(config: Config): Pair {
  return { value: z.encode(configSchema, config), shown: printableConfig(config) }
}

function compare(from: Pair, to: Pair, keyOf: (part: string | number) => string): ConfigChange[] {
  return partsOf(from.value, to.value).flatMap(part => {
    const key = keyOf(part)
    const [before, after] = [inner(from, part), inner(to, part)]
    if (partsOf(before.value, after.value).length > 0) {
      return compare(before, after, deeper => (typeof deeper === 'number' ? `${key}[${deeper}]` : `${key}.${deeper}`))
    }
    if (isSame(before.value, after.value)) return []
    // What is masked looks the same before and after: that it changed is told all the same.
    if (isSame(before.shown, after.shown)) return [{ key, from: '(secret)', to: '(another secret)' }]
    return [{ key, from: before.shown, to: after.shown }]
  })
}

/** What to compare one by one: keys of groups, places of lists of groups. Other values are compared as wholes. */
function partsOf(from: unknown, to: unknown): readonly (string | number)[] {
  if (isGroup(from) && isGroup(to)) return [...new Set([...Object.keys(from), ...Object.keys(to)])]
  if (!Array.isArray(from) || !Array.isArray(to) || ![...from, ...to].some(isGroup)) return []
  return Array.from({ length: Math.max(from.length, to.length) }, (_, n) => n)
}

/** Of those that are in both. */
function changedOrder({ plugins: before }: Config, { plugins: after }: Config): ConfigChange[] {
  const shared = (some: Config['plugins'], others: Config['plugins']) =>
    some.map(({ name }) => name).filter(name => others.some(other => other.name === name))
  const [from, to] = [shared(before, after), shared(after, before)]
  return isSame(from, to) ? [] : [{ key: 'plugins', from, to }]
}

function byName(plugins: unknown): unknown {
  return Object.fromEntries((plugins as readonly { name: string }[]).map(block => [block.name, block]))
}

function mapped({ value, shown }: Pair, change: (value: unknown) => unknown): Pair {
  return { value: change(value), shown: change(shown) }
}

function inner({ value, shown }: Pair, part: string | number): Pair {
  const at = (whole: unknown) => (whole as Record<string | number, unknown> | undefined)?.[part]
  return { value: at(value), shown: at(shown) }
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}
