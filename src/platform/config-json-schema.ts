// The JSON Schema of the configuration file, for editors (completion, hover, red lines while typing).
// config/elemta.schema.json is its output; a test holds the two together.
import * as z from 'zod'
import { configSchema } from './config.ts'

type JsonSchema = z.core.JSONSchema.BaseSchema

/** Every value may come from the environment; numbers, choices and patterns alone would forbid that. */
const VARIABLE = { type: 'string', pattern: '\\$\\{' } as const

/** JSON Schema 2020-12, as text that ends with a newline. */
export function configJsonSchema(): string {
  const schema = z.toJSONSchema(configSchema, { io: 'input', override: ({ jsonSchema }) => adapt(jsonSchema) })
  const { $schema, ...rest } = schema
  return `${JSON.stringify({ $schema, title: 'Configuration of Elemta', ...rest }, undefined, 2)}\n`
}

function adapt(schema: JsonSchema): void {
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum
  if (schema.perMachine === true) {
    delete schema.perMachine
    delete schema.default
  }
  for (const [key, inner] of Object.entries(schema.properties ?? {})) {
    if (typeof inner === 'boolean' || !schema.properties) continue
    if (inner.writeOnly) {
      schema.properties[`${key}_file`] = { type: 'string', description: `A file whose content is the ${key}` }
    }
    if (needsVariable(inner)) schema.properties[key] = withVariable(inner)
  }
}

function needsVariable(schema: JsonSchema): boolean {
  const plain = schema.type === 'integer' || schema.type === 'number' || schema.type === 'boolean'
  return plain || schema.enum !== undefined || schema.anyOf !== undefined
}

function withVariable({ description, default: standard, anyOf, ...value }: JsonSchema): JsonSchema {
  const described = description === undefined ? {} : { description }
  const defaulted = standard === undefined ? {} : { default: standard }
  return { ...described, ...defaulted, anyOf: [...(anyOf ?? [value]), VARIABLE] }
}
