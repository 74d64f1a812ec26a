// Values that come from the environment and from files.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are the file's variables, not JavaScript's
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { enabledPlugin } from '../../src/platform/config.ts'
import { configOf, problemsOf } from './parse-config.ts'

let folder: string
let secretFile: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'elemta-secrets-'))
  secretFile = join(folder, 'rspamd')
  writeFileSync(secretFile, 'q1w2e3\n')
})
afterAll(() => rmSync(folder, { recursive: true }))

const passwordOf = (written: string, env = {}) =>
  enabledPlugin(configOf(`plugins: [{ name: rspamd, config: { ${written} } }]`, env), 'rspamd')?.password

describe('variables', () => {
  test('stand anywhere in a text, several times', () => {
    expect(configOf('data_dir: ${BASE}/${NAME}/${BASE}', { BASE: '/srv', NAME: 'mail' }).data_dir).toBe(
      '/srv/mail//srv',
    )
  })

  test('become numbers, truth values, sizes and durations where these are expected', () => {
    const yaml = `ops: { port: "\${PORT}" }
limits: { message_size: "\${SIZE}", command_timeout: "\${TIME}" }
plugins: [{ name: clamav, enabled: "\${SCAN}" }]`
    const config = configOf(yaml, { PORT: '8081', SIZE: '10MB', TIME: '0', SCAN: 'false' })
    expect(config.ops.port).toBe(8081)
    expect(config.limits).toMatchObject({ message_size: 10 * 1024 * 1024, command_timeout: 0 })
    expect(config.plugins[0]?.enabled).toBe(false)
  })

  test('stay text where text is expected', () => {
    expect(passwordOf('password: "${PASS}"', { PASS: '12345' })).toBe('12345')
  })

  test('have a default for when they are not set or empty', () => {
    const yaml = 'data_dir: ${DIR:-/var/lib/elemta}'
    expect(configOf(yaml).data_dir).toBe('/var/lib/elemta')
    expect(configOf(yaml, { DIR: '' }).data_dir).toBe('/var/lib/elemta')
    expect(configOf(yaml, { DIR: '/srv' }).data_dir).toBe('/srv')
  })

  test('can be written down without being one', () => {
    expect(configOf('data_dir: "/srv/$${DIR}/$5"', { DIR: 'x' }).data_dir).toBe('/srv/${DIR}/$5')
  })

  test('are not looked for in what a variable holds', () => {
    expect(configOf('data_dir: ${A}', { A: '${B}', B: 'x' }).data_dir).toBe('${B}')
  })

  test('are missing: file, line, key, and no second complaint about the empty value', () => {
    expect(problemsOf('ops:\n  port: ${PORT}')).toEqual([
      'elemta.yaml:2:9: ops.port: the environment has neither PORT nor PORT_FILE; set one, or write ${PORT:-default}',
    ])
  })

  test('that nobody can read are an error', () => {
    expect(problemsOf('data_dir: ${MY DIR}')[0]).toContain(
      'elemta.yaml:1:11: data_dir: cannot read ${MY DIR}: write ${NAME}',
    )
  })

  test('of the wrong kind are shown as they are', () => {
    expect(problemsOf('ops: { port: "${PORT}" }', { PORT: 'http' })).toEqual([
      'elemta.yaml:1:14: ops.port: expected a number, not "http"',
    ])
  })
})

describe('secrets', () => {
  test('from the file that NAME_FILE names, without its line end', () => {
    expect(passwordOf('password: "${PASS}"', { PASS_FILE: secretFile })).toBe('q1w2e3')
  })

  test('the variable itself comes first', () => {
    expect(passwordOf('password: "${PASS}"', { PASS: 'direct', PASS_FILE: secretFile })).toBe('direct')
  })

  test('from the file that password_file names', () => {
    expect(passwordOf(`password_file: ${secretFile}`)).toBe('q1w2e3')
    expect(passwordOf('password_file: "${DIR}/rspamd"', { DIR: folder })).toBe('q1w2e3')
  })

  test('a file that is not there', () => {
    const missing = join(folder, 'nope')
    const [problem, ...more] = problemsOf(`plugins:\n  - name: rspamd\n    config:\n      password_file: ${missing}`)
    expect(problem).toMatch(`elemta.yaml:4:22: plugins[0].config.password_file: cannot read ${missing}: ENOENT`)
    expect(more).toEqual([])
  })

  test('both ways at once', () => {
    expect(problemsOf(`plugins: [{ name: rspamd, config: { password: x, password_file: ${secretFile} } }]`)).toEqual([
      'elemta.yaml:1:65: plugins[0].config.password_file: password is given as well: leave one out',
    ])
  })

  test('only secret keys may come from a file, and the suggestion knows it', () => {
    expect(problemsOf('plugins: [{ name: rspamd, config: { host_file: x } }]')[0]).toContain('host_file: unknown key')
    expect(problemsOf('plugins: [{ name: rspamd, config: { pasword_file: x } }]')[0]).toContain(
      'unknown key; did you mean "password_file"?',
    )
  })
})
