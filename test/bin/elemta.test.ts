// The command line as a person and a service manager meet it: output, exit codes, no stack traces.
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'elemta-bin-'))
  writeFileSync(join(folder, 'good.yaml'), 'relay: { domains: [example.com] }\nplugins: []\n')
  writeFileSync(join(folder, 'bad.yaml'), 'plugin: []\nlimits: { recipients: 0 }\n')
})
afterAll(() => rmSync(folder, { recursive: true }))

type Run = Readonly<{ code: number; stdout: string; stderr: string }>

function run(command: string, args: readonly string[], cwd = '.'): Promise<Run> {
  return new Promise(done => {
    execFile(command, args, { cwd }, (error, stdout, stderr) => {
      done({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, stdout, stderr })
    })
  })
}

const elemta = (...args: string[]) => run(process.execPath, ['bin/elemta.ts', ...args])

describe('elemta config', () => {
  test('check: ok, with warnings', async () => {
    const file = join(folder, 'good.yaml')
    expect(await elemta('config', 'check', '--config', file)).toEqual({
      code: 0,
      stdout: `${file}: warning: no scanner is enabled: mail passes unscanned\n${file}: ok\n`,
      stderr: '',
    })
  })

  test('check: every problem on a line of its own, exit 78', async () => {
    const file = join(folder, 'bad.yaml')
    const { code, stdout, stderr } = await elemta('config', 'check', '--config', file)
    expect([code, stdout]).toEqual([78, ''])
    expect(stderr).toBe(
      `${file}:1:1: plugin: unknown key; did you mean "plugins"?\n${file}:2:23: limits.recipients: must be at least 1, not 0\n`,
    )
  })

  test('check: no such file, exit 78', async () => {
    const { code, stderr } = await elemta('config', 'check', '--config', 'nope.yaml')
    expect([code, stderr]).toEqual([78, 'there is no such file: nope.yaml\n'])
  })

  test('check: the file that we ship is found and right', async () => {
    expect(await elemta('config', 'check')).toEqual({ code: 0, stdout: './config/elemta.yaml: ok\n', stderr: '' })
  })

  test('show: what it prints, it also reads', async () => {
    const first = await elemta('config', 'show', '--config', join(folder, 'good.yaml'))
    const shown = join(folder, 'shown.yaml')
    writeFileSync(shown, first.stdout)
    expect(first.code).toBe(0)
    expect(await elemta('config', 'show', '--config', shown)).toEqual(first)
  })

  test('schema: is the one beside the file', async () => {
    const { code, stdout } = await elemta('config', 'schema')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual(JSON.parse(readFileSync('config/elemta.schema.json', 'utf8')))
  })
})

describe('exit codes', () => {
  test('serve with a wrong configuration: 78, nothing started', async () => {
    const { code, stderr } = await elemta('serve', '--config', join(folder, 'bad.yaml'))
    expect(code).toBe(78)
    expect(stderr).toContain('did you mean "plugins"?')
    expect(stderr).not.toContain('    at ')
  })

  test.each([
    ['an unknown command', ['sirve']],
    ['an unknown subcommand', ['config', 'chek']],
    ['an unknown option', ['serve', '--cnfig', 'x']],
    ['an unknown role', ['serve', '--role', 'ingress,scn']],
    ['no command', []],
  ])('%s: 64', async (_, args) => {
    const { code, stdout } = await elemta(...args)
    expect([code, stdout]).toEqual([64, ''])
  })

  test('help is no error', async () => {
    const { code, stdout } = await elemta('--help')
    expect(code).toBe(0)
    for (const command of ['serve', 'config']) expect(stdout).toContain(`\n  ${command}`)
  })
})

test("the launcher runs under the machine's own Node, from another folder, and passes the exit code on", async () => {
  const launcher = resolve('bin/elemta.mjs')
  const path = process.env.PATH?.split(':').filter(part => !part.includes('node_modules')) ?? []
  const environment = { ...process.env, PATH: path.join(':') }
  const { code, stderr } = await new Promise<Run>(done => {
    execFile(
      '/usr/bin/env',
      ['node', launcher, 'config', 'check', '-c', 'bad.yaml'],
      { cwd: folder, env: environment },
      (error, stdout, stderr) => {
        done({ code: Number(error?.code ?? 0), stdout, stderr })
      },
    )
  })
  expect(stderr).toContain('bad.yaml:1:1: plugin: unknown key')
  expect(code).toBe(78)
})
