// A week of levels for a private Prometheus whose rules are shortened, as it keeps them on disk: what baselines need.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SEASONAL } from '../../monitoring/rules/records.ts'

/** Writes blocks into `data`, the database of a Prometheus that does not run. `scale`: that of the rules' times. */
export function writeHistory(data: string, scale: number): void {
  const day = 86_400 * scale
  mkdirSync(data, { recursive: true })
  const now = Math.floor(Date.now() / 1000)
  const lines = SEASONAL.flatMap(what => [
    `# TYPE elemta:${what}:level1h gauge`,
    ...Array.from({ length: Math.ceil((8 * day) / 60) }, (_, minute) => {
      const time = now - 8 * day + minute * 60
      return `elemta:${what}:level1h ${100 + (minute % 7)} ${Math.round(time)}`
    }),
  ])
  const dir = mkdtempSync(join(tmpdir(), 'elemta-history-'))
  try {
    const file = join(dir, 'history.txt')
    writeFileSync(file, `${lines.join('\n')}\n# EOF\n`)
    execFileSync('promtool', ['tsdb', 'create-blocks-from', 'openmetrics', file, data], { stdio: 'pipe' })
    execFileSync('chmod', ['-R', 'a+rwX', data])
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}
