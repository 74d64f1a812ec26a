// Runs a promtool test file over rule files; the error is what promtool says.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'

export type RuleTest = Readonly<{
  interval: string
  input_series: readonly Readonly<{ series: string; values: string }>[]
  alert_rule_test?: readonly object[]
  promql_expr_test?: readonly object[]
}>

/** Throws with the difference when a test fails. `rules`: the text of a rule file. */
export function promtoolTest(rules: string, tests: readonly RuleTest[], evaluation_interval = '1m'): void {
  const dir = mkdtempSync(join(tmpdir(), 'elemta-promtool-'))
  try {
    writeFileSync(join(dir, 'rules.yml'), rules)
    writeFileSync(join(dir, 'test.yml'), stringify({ rule_files: ['rules.yml'], evaluation_interval, tests }))
    execFileSync('promtool', ['test', 'rules', 'test.yml'], { cwd: dir, encoding: 'utf8', stdio: 'pipe' })
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    throw new Error(`${stdout}${stderr}`.trim() || String(error))
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}
