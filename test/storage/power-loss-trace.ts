// Reads what a process did to its files from strace's output (-f -y -xx): one event per finished system call, in the
// order in which the calls ended, each with the place where it began, for a sync covers only what was done before.

export type FileCall = Readonly<{
  call: string
  /** Arguments as strace prints them: descriptors as `7<path>`, octets as Buffers, the rest as text. */
  args: readonly (string | Buffer)[]
  result: number
  /** Line at which the call began, and at which it ended. */
  began: number
  ended: number
}>

/** Successful calls, and syncs that failed (result -1), in order of their ends. */
export function parseTrace(text: string): FileCall[] {
  const calls: FileCall[] = []
  const unfinished = new Map<string, { began: number; text: string }>()
  for (const [ended, line] of text.split('\n').entries()) {
    const [, pid, rest] = /^(\d+)\s+(.*)$/s.exec(line) ?? []
    if (pid === undefined || rest === undefined) continue
    if (rest.endsWith('<unfinished ...>')) {
      unfinished.set(pid, { began: ended, text: rest.slice(0, -'<unfinished ...>'.length) })
      continue
    }
    const resumed = /^<\.\.\. \w+ resumed>/.exec(rest)
    const start = resumed === null ? undefined : unfinished.get(pid)
    if (resumed !== null) unfinished.delete(pid)
    const whole = resumed === null ? rest : (start?.text ?? '') + rest.slice(resumed[0].length)
    const parsed = parseCall(whole)
    if (parsed !== undefined) calls.push({ ...parsed, began: start?.began ?? ended, ended })
  }
  return calls
}

function parseCall(text: string): Pick<FileCall, 'call' | 'args' | 'result'> | undefined {
  const open = text.indexOf('(')
  const close = text.lastIndexOf(')')
  const result = Number.parseInt(/^\s*= (-?\d+)/.exec(text.slice(close + 1))?.[1] ?? '', 10)
  const call = text.slice(0, open)
  if (open <= 0 || !(result >= 0 || call.endsWith('sync'))) return undefined
  return { call, args: splitArguments(text.slice(open + 1, close)).map(parseArgument), result }
}

/** With -xx no string holds a comma or a bracket. */
function splitArguments(text: string): string[] {
  return text
    .replace(/\[.*?\]/g, vector => vector.replaceAll(', ', ';'))
    .trim()
    .split(', ')
}

function parseArgument(text: string): string | Buffer {
  if (text.startsWith('"')) return octetsOf(text)
  if (text.startsWith('[')) return Buffer.concat([...text.matchAll(/"[^"]*"/g)].map(([part]) => octetsOf(part)))
  return text.replace(/<((?:\\x..)*)>/, (_, path: string) => `<${octetsOf(path)}>`)
}

function octetsOf(text: string): Buffer {
  return Buffer.from(text.replaceAll(/\\x|"/g, ''), 'hex')
}
