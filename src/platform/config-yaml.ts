// Parses the YAML of a configuration file and remembers where everything stands, so that problems can point there.
// Text that is no YAML throws ConfigError; a key that stands there twice is a problem among others.
import { isMap, isNode, isScalar, LineCounter, parseDocument } from 'yaml'
import { ConfigError, type ConfigProblem } from './config-errors.ts'

type Path = readonly PropertyKey[]

/** A problem whose place is known. */
export type Located = ConfigProblem & Readonly<{ line: number; column: number }>

export type YamlSource = Readonly<{
  value: unknown
  problems: readonly Located[]
  /** Line and column of the key or value at `path`, or of the nearest group around it. */
  locate(path: Path, at: 'key' | 'value'): { line: number; column: number }
}>

/** Parses YAML 1.2. Throws ConfigError where the text is so broken that its keys cannot be looked at. */
export function readYaml(text: string, file: string): YamlSource {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true })
  const position = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  const problems = [...document.errors, ...document.warnings].map(({ code, message, pos }) => ({
    file,
    ...position(pos[0]),
    key: '',
    message: code === 'DUPLICATE_KEY' ? 'the same key stands here twice' : `not valid YAML: ${message}`,
  }))
  if (document.errors.some(({ code }) => code !== 'DUPLICATE_KEY')) throw new ConfigError(problems)

  const locate: YamlSource['locate'] = (path, at) => {
    for (let depth = path.length; depth > 0; depth--) {
      const around = document.getIn(path.slice(0, depth - 1), true)
      const last = path[depth - 1]
      const pair = isMap(around)
        ? around.items.find(({ key }) => isScalar(key) && String(key.value) === last)
        : undefined
      const value = document.getIn(path.slice(0, depth), true)
      const node = at === 'value' && depth === path.length ? value : (pair?.key ?? value)
      if (isNode(node) && node.range) return position(node.range[0])
    }
    return position(document.contents?.range?.[0] ?? 0)
  }
  try {
    return { value: document.toJS() ?? {}, problems, locate }
  } catch (error) {
    throw new ConfigError([...problems, { file, key: '', message: `not valid YAML: ${(error as Error).message}` }])
  }
}
