// Makes values from outside (scanners, their rules) fit for a header field (RFC 5322 §2.1.1, §2.2): ASCII, no line
// that is not a fold, no line over 998 octets. Pure. Nothing is refused: what does not fit is replaced.
import type { HeaderField } from './verdict.ts'

/** Octets of a line, its name and fold included; the RFC's limit is 998. */
const LONGEST_LINE = 900
const NAME = /^[!-9;-~]{1,76}$/

/** A field that is safe to put in front of a message; undefined for a name that is none. */
export function headerField(name: string, value: string): HeaderField | undefined {
  if (!NAME.test(name)) return undefined
  const [first = '', ...more] = value
    .split(/\r\n|\r|\n/)
    .map(line => line.replace(/[^\t -~]/gu, character => (character < ' ' ? ' ' : '?')).trimEnd())
    .filter(line => line !== '')
    .flatMap(breakLine)
  const folds = more.map(line => (/^[\t ]/.test(line) ? line : ` ${line}`))
  return { name, value: [first.trimStart(), ...folds].join('\r\n') }
}

/** At a space where there is one. */
function breakLine(line: string): string[] {
  const lines: string[] = []
  let rest = line
  while (rest.length > LONGEST_LINE) {
    const space = rest.lastIndexOf(' ', LONGEST_LINE)
    const at = space > LONGEST_LINE / 2 ? space : LONGEST_LINE
    lines.push(rest.slice(0, at))
    rest = rest.slice(at).trimStart()
  }
  return rest === '' ? lines : [...lines, rest]
}
