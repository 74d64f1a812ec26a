// Debian's promtool and amtool. What they find wrong is an error with their words; that one is not installed is no error,
// and is told: the files are then written unchecked.
import { execFile } from 'node:child_process'
import { findProgram, MissingProgram } from '../embedded/program.ts'

export type ToolAnswer = Readonly<
  { kind: 'fine'; text: string } | { kind: 'wrong'; text: string } | { kind: 'missing'; text: string }
>

const PACKAGES = { promtool: 'prometheus', amtool: 'prometheus-alertmanager' } as const

/** Runs it to its end; never rejects. */
export function runTool(tool: keyof typeof PACKAGES, args: readonly string[]): Promise<ToolAnswer> {
  return new Promise(resolve => {
    try {
      execFile(findProgram(tool, PACKAGES[tool]), args, (error, stdout, stderr) => {
        const text = `${stdout}${stderr}`.trim()
        resolve({ kind: error === null ? 'fine' : 'wrong', text: text || (error?.message ?? '') })
      })
    } catch (error) {
      if (!(error instanceof MissingProgram)) throw error
      resolve({ kind: 'missing', text: error.message })
    }
  })
}
