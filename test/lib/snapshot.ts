// A template as a snapshot keeps it: what changes with every change of the sources (hashes of assets) is masked, and what
// belongs to others' tests (the collector's and the gateway's configuration) is left out.
import type { Template } from 'aws-cdk-lib/assertions'

const HASH = /[0-9a-f]{64}/g
const TEXTS = new Set(['AOT_CONFIG_CONTENT'])

export function masked(template: Template): unknown {
  const text = JSON.stringify(template.toJSON(), (_, value) =>
    typeof value === 'object' && value !== null && TEXTS.has(value.Name) ? { ...value, Value: '<text>' } : value,
  )
  return JSON.parse(text.replaceAll(HASH, '<hash>'))
}
