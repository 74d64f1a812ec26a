// The file `.env` of the container stack: the variables of .env.example with their words, and values of three origins, the
// first that has one: whoever runs this (the process's environment), the file as it is, the example. Pure.

export type Values = Readonly<Record<string, string | undefined>>

const VARIABLE = /^([A-Z][A-Z0-9_]*)=(.*)$/

/** What a file of such lines says. Quotes around a value are not part of it. */
export function readEnvironmentFile(text: string): Record<string, string> {
  const found = text.split('\n').flatMap(line => {
    const [, name, value] = VARIABLE.exec(line) ?? []
    return name === undefined ? [] : [[name, (value ?? '').replace(/^(['"])(.*)\1$/, '$2')] as const]
  })
  return Object.fromEntries(found)
}

/** The example with these values, then what else is set. Values with `$`, `#` or spaces are quoted: compose reads them as they are. */
export function writeEnvironmentFile(example: string, values: Values): string {
  const named = readEnvironmentFile(example)
  const lines = example.split('\n').map(line => {
    const [, name] = VARIABLE.exec(line) ?? []
    return name === undefined ? line : `${name}=${quoted(values[name] ?? named[name] ?? '')}`
  })
  const others = Object.entries(values).filter(([name, value]) => !Object.hasOwn(named, name) && value !== undefined)
  if (others.length > 0) lines.push('# Of your own.', ...others.map(([name, value]) => `${name}=${quoted(value!)}`), '')
  return lines.join('\n')
}

function quoted(value: string): string {
  return /[\s$#]/.test(value) ? `'${value}'` : value
}
