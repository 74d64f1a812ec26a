// What a page for operators names, read out of its Markdown: commands, questions to Prometheus, log events, settings.
// Everything here is what the page says, nothing is judged: the tests do that.
import { readFileSync } from 'node:fs'
import { Command } from 'commander'

export type Page = Readonly<{
  file: string
  text: string
  /** The titles of its sections of the second level, in order. */
  sections: readonly string[]
  /** The lines of its shell blocks, without comments. */
  shell: readonly string[]
  /** The expressions of its PromQL blocks, one a line. */
  promql: readonly string[]
  /** Shell lines and what stands in code style between the prose. */
  code: readonly string[]
  /** Targets of its links, without anchors. */
  links: readonly string[]
}>

const FENCE = /^ *```(\w*)\n([\s\S]*?)^ *```$/gm

export function readPage(file: string): Page {
  const text = readFileSync(file, 'utf8')
  const blocks = [...text.matchAll(FENCE)].map(([, language, body = '']) => ({ language, body }))
  const lines = (wanted: string) =>
    blocks
      .filter(({ language }) => language === wanted)
      .flatMap(({ body }) => body.split('\n').map(line => line.replace(/(^|\s)# .*$/, '').trim()))
      .filter(line => line !== '')
  const prose = text.replaceAll(FENCE, '')
  const shell = lines('sh')
  return {
    file,
    text,
    sections: [...prose.matchAll(/^## (.+)$/gm)].map(([, title = '']) => title),
    shell,
    promql: lines('promql'),
    code: [...shell, ...[...prose.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code)],
    links: [...prose.matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)].map(([, target = '']) => target),
  }
}

/** The section with that title, without the title. */
export function sectionOf({ text }: Page, title: string): string {
  return (text.split(`\n## ${title}\n`)[1] ?? '').split('\n## ')[0] ?? ''
}

/** The commands of a shell line, as words: what pipes and `;` divide; quotes keep together. */
export function commandsIn(line: string): string[][] {
  const commands: string[][] = [[]]
  for (const [word, divider, bare = ''] of line.matchAll(/([|;&]+|\d?>&?\d?)|((?:"[^"]*"|'[^']*'|[^\s"'|;&])+)/g)) {
    if (divider === undefined) commands.at(-1)?.push(bare.replaceAll(/["']/g, ''))
    else if (/^[|;&]+$/.test(word)) commands.push([])
  }
  return commands.filter(words => words.length > 0)
}

/** What follows `elemta` in a line, if it calls it. */
export function elemtaCallsIn(line: string): string[][] {
  return commandsIn(line).flatMap(([first = '', second, ...rest]) => {
    if (first === 'npx' && second === 'elemta') return [rest]
    return first === 'elemta' && second !== undefined ? [[second, ...rest]] : []
  })
}

/** What is wrong with a call of `program`; undefined when it could be run. Runs nothing. */
export function mistakeIn(program: Command, words: readonly string[]): string | undefined {
  let command = program
  let rest = [...words]
  for (let next = named(command, rest[0]); next !== undefined; next = named(command, rest[0])) {
    command = next
    rest = rest.slice(1)
  }
  if (command.commands.length > 0) return `${rest[0] ?? 'nothing'} is no command of ${command.name()}`
  // Options remember what they were given: a command of its own for each question.
  const fresh = new Command(command.name()).exitOverride().configureOutput({ writeErr: () => {} })
  for (const option of command.options) fresh.addOption(option)
  try {
    const { operands, unknown } = fresh.parseOptions(rest)
    const wanted = command.registeredArguments
    const least = wanted.filter(({ required }) => required).length
    const most = wanted.some(({ variadic }) => variadic) ? Number.POSITIVE_INFINITY : wanted.length
    if (unknown.length > 0) return `${unknown[0]} is no option of ${command.name()}`
    if (operands.length < least || operands.length > most)
      return `${command.name()} takes no ${operands.length} arguments`
    const forgotten = command.options.find(
      option => option.mandatory && fresh.getOptionValue(option.attributeName()) === undefined,
    )
    const choices = wanted[0]?.argChoices
    if (choices && !choices.includes(operands[0] ?? '')) return `${operands[0]} is not what ${command.name()} takes`
    return forgotten && `${command.name()} needs ${forgotten.flags}`
  } catch (error) {
    return (error as Error).message
  }
}

const named = (command: Command, name: string | undefined) => command.commands.find(one => one.name() === name)

/** Log events that a page looks for: after `grep` in the log, in jq's `.event ==`. */
export function eventsIn({ code }: Page): string[] {
  return code.flatMap(line => {
    const greps = commandsIn(line).filter(words => words[0] === 'grep' && words.includes('mail.log'))
    const patterns = greps.flatMap(words => words.slice(1, words.indexOf('mail.log')))
    const wanted = patterns.filter(pattern => !pattern.startsWith('-')).flatMap(expand)
    const compared = [...line.matchAll(/\.event == "([\w-]+)"/g)].map(([, event = '']) => event)
    const quoted = [...line.matchAll(/"event":"\(?([\w|-]+)\)?"/g)].flatMap(([, events = '']) => events.split('|'))
    return [...wanted.filter(pattern => /^[a-z][a-z-]+$/.test(pattern)), ...compared, ...quoted]
  })
}

/** `a-(b|c)-d|e` as a-b-d, a-c-d, e; an optional `(b)?` with and without. */
function expand(pattern: string): string[] {
  const group = /\(([^()]*)\)(\??)/.exec(pattern)
  if (!group) return pattern.split('|')
  const choices = [...(group[1] ?? '').split('|'), ...(group[2] === '?' ? [''] : [])]
  return choices.flatMap(choice => expand(pattern.replace(group[0], choice)))
}
