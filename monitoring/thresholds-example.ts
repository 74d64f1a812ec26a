// The settings of monitoring/thresholds.ts as a file to copy from: every key with its default and what it decides.
import { z } from 'zod'
import { keysOf } from '../src/platform/config-shape.ts'
import { DEFAULT_SETTINGS, settingsSchema } from './thresholds.ts'

const HEAD = `# Every threshold, window, wait and minimum volume of the monitoring, as shipped. A site's own file names only what
# differs, and is rendered by: node monitoring/render.ts --thresholds FILE --out DIR
`

/** `thresholds.example.yaml`, with its text. */
export function renderThresholdsExample(): Map<string, string> {
  const written = z.encode(settingsSchema, DEFAULT_SETTINGS) as Record<string, Record<string, unknown>>
  const groups = [...keysOf(settingsSchema)].map(([group, schema]) => {
    const keys = [...keysOf(schema)].map(([key, type]) => {
      const about = z.globalRegistry.get(type)?.description
      return `  ${key}: ${written[group]![key]}${about ? ` # ${about}` : ''}\n`
    })
    return `${group}:\n${keys.join('')}`
  })
  return new Map([['thresholds.example.yaml', HEAD + groups.join('')]])
}
