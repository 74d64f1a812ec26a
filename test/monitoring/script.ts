// A script that runs on: what it has said, and its end by Ctrl-C.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

export type Script = Readonly<{
  /** Resolves when its output has this text behind what was waited for last. Rejects with all of it when it ends. */
  said(text: string): Promise<void>
  stop(): Promise<void>
}>

export function startScript(file: string, args: readonly string[], env: Record<string, string> = {}): Script {
  const child: ChildProcess = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
  let output = ''
  let seen = 0
  let over = false
  const waiting = new Set<() => void>()
  const look = () => {
    for (const see of waiting) see()
  }
  for (const stream of [child.stdout, child.stderr]) {
    stream!.setEncoding('utf8').on('data', (text: string) => {
      output += text
      look()
    })
  }
  const ended = once(child, 'close').then(() => {
    over = true
    look()
  })
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  return {
    said: text =>
      new Promise((resolve, reject) => {
        const see = () => {
          const at = output.indexOf(text, seen)
          if (at < 0 && !over) return
          waiting.delete(see)
          if (at < 0) return reject(new Error(`${file} ended before it said "${text}":\n${output}`))
          seen = at + text.length
          resolve()
        }
        waiting.add(see)
        see()
      }),
    async stop() {
      child.kill('SIGINT')
      await ended
      process.off('exit', kill)
    },
  }
}
