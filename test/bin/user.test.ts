// elemta user as an operator and a script meet it, and that the gateway's side reads what it wrote.
import { execFile, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { hashPassword } from '../../src/auth/password-hash.ts'
import { createUsersFile } from '../../src/auth/users-file.ts'
import { silentLog } from '../../src/platform/log.ts'

const BOB = `bob:${await hashPassword('b0b', { ln: 4, r: 8, p: 1 })}\n`

let folder: string
let users: string
let config: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'elemta-user-'))
  users = join(folder, 'data', 'users')
  config = join(folder, 'elemta.yaml')
  writeFileSync(config, `auth: { users_file: ${users} }\n`)
})
afterEach(() => rmSync(folder, { recursive: true }))

type Run = Readonly<{ code: number; stdout: string; stderr: string }>

function run(program: string, args: readonly string[], input: string): Promise<Run> {
  return new Promise(done => {
    const child = execFile(program, args, (error, stdout, stderr) => {
      done({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, stdout, stderr })
    })
    child.stdin!.on('error', () => {}) // It may be gone before it has read.
    child.stdin!.end(input)
  })
}

/** What is in the file before. */
function given(text: string): void {
  mkdirSync(dirname(users))
  writeFileSync(users, text, { mode: 0o600 })
}

const elemta = (args: readonly string[], input = '') =>
  run(process.execPath, ['bin/elemta.ts', 'user', ...args, '--config', config], input)

const login = (name: string, password: string) =>
  createUsersFile({ path: users, log: silentLog }).verify(name, password)

const done = { code: 0, stdout: '', stderr: '' }
const failure = { outcome: 'failure' }

test('a user comes, changes the password and goes', async () => {
  const add = ['add', 'Alice', '--address', 'alice@example.com', '-a', 'sales@example.com']
  expect(await elemta(add, 's3cret\n')).toEqual(done)
  expect(statSync(users).mode & 0o777).toBe(0o600)
  expect(readFileSync(users, 'utf8')).not.toContain('s3cret')
  const alice = { outcome: 'success', user: 'Alice', addresses: ['alice@example.com', 'sales@example.com'] }
  expect(await login('alice', 's3cret')).toEqual(alice)

  expect(await elemta(['list'])).toEqual({ ...done, stdout: 'Alice alice@example.com sales@example.com\n' })

  expect(await elemta(['passwd', 'ALICE'], 'an0ther\r\nand more')).toEqual(done)
  expect(await login('alice', 's3cret')).toEqual(failure)
  expect(await login('alice', 'an0ther')).toEqual(alice)

  expect(await elemta(['remove', 'alice'])).toEqual(done)
  expect(await login('alice', 'an0ther')).toEqual(failure)
  expect(readFileSync(users, 'utf8')).toBe('')
})

test('comments stay, and so does the mode, but others may not read', async () => {
  given(`# our users\n${BOB}# the end\n`)
  chmodSync(users, 0o644)
  expect(await elemta(['add', 'alice'], 's3cret')).toEqual(done)
  expect(readFileSync(users, 'utf8')).toMatch(/^# our users\nbob:.*\n# the end\nalice:.*\n$/)
  expect(statSync(users).mode & 0o777).toBe(0o640)
})

test('two at once: both are there afterwards, or one was told to try again', async () => {
  given(BOB)
  const names = ['alice', 'carol']
  const runs = await Promise.all(names.map(name => elemta(['add', name], 's3cret')))
  const { stdout } = await elemta(['list'])
  for (const [n, { code, stderr }] of runs.entries()) {
    if (code === 0) expect(stdout).toContain(names[n])
    else expect(stderr).toContain('somebody else is changing the users')
  }
  expect(runs.some(({ code }) => code === 0)).toBe(true)
  expect(existsSync(`${users}.new`)).toBe(false)
})

test('what somebody left half done is not thrown away unasked', async () => {
  given(BOB)
  writeFileSync(`${users}.new`, '')
  const { code, stderr } = await elemta(['remove', 'bob'])
  expect([code, stderr]).toEqual([69, expect.stringContaining(`elemta: ${users}.new is there: somebody else`)])
  expect(await login('bob', 'b0b')).toMatchObject({ outcome: 'success' })
})

describe('refused, and nothing is changed', () => {
  test.each([
    ['a user who is there', ['add', 'BOB'], 'x', 'BOB is there already; new password: elemta user passwd BOB'],
    ['no such user', ['passwd', 'carol'], 'x', 'no user carol'],
    ['no such user to remove', ['remove', 'carol'], '', 'no user carol'],
    ['no password', ['add', 'carol'], '\n', 'the password is empty'],
    ['a name with a colon', ['add', 'a:b'], 'x', 'a name holds no blanks, colons, commas or control characters'],
    ['no address', ['add', 'carol', '-a', 'carol'], 'x', '"carol" is not an address: user@example.com'],
  ])('%s: exit 64', async (_, args, input, message) => {
    given(BOB)
    const { code, stdout, stderr } = await elemta(args, input)
    expect([code, stdout, stderr]).toEqual([64, '', expect.stringContaining(message)])
    expect(readFileSync(users, 'utf8')).toBe(BOB)
  })

  test('without a users file in the configuration: exit 78', async () => {
    writeFileSync(config, 'plugins: []\n')
    const { code, stderr } = await elemta(['list'])
    const message = 'no users file is configured; set auth.users_file, for example to ./config/users'
    expect([code, stderr]).toEqual([78, `elemta: ${message}\n`])
  })

  test('a users file with a mistake: exit 78, and where it is', async () => {
    given('bob:b0b\n')
    const { code, stderr } = await elemta(['list'])
    expect([code, stderr]).toEqual([78, expect.stringContaining(`${users}:1: the hash is not one made by`)])
  })
})

describe('at a terminal', () => {
  /** util-linux's script(1) gives the command a terminal of its own; each answer is typed when its prompt is there. */
  function typed(...answers: string[]): Promise<Run> {
    const command = `${process.execPath} bin/elemta.ts user add alice --config ${config}`
    const child = spawn('script', ['-qec', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] })
    let stdout = ''
    child.stdout.on('data', piece => {
      stdout += piece
      if (stdout.endsWith(': ')) child.stdin.write(answers.shift() ?? '')
    })
    return new Promise(resolve => {
      child.once('close', code => resolve({ code: code ?? -1, stdout: stdout.replaceAll('\r', ''), stderr: '' }))
    })
  }

  test('the password is typed twice and not shown; backspace corrects', async () => {
    const { code, stdout } = await typed('s3crex\u007ft\r', 's3cret\r')
    expect([code, stdout]).toEqual([0, 'Password for alice: \nOnce more: \n'])
    expect(await login('alice', 's3cret')).toMatchObject({ outcome: 'success' })
  })

  test('pasted in one piece', async () => {
    const { code, stdout } = await typed('s3cret\rs3cret\r')
    expect([code, stdout]).toEqual([0, 'Password for alice: \nOnce more: \n'])
    expect(await login('alice', 's3cret')).toMatchObject({ outcome: 'success' })
  })

  test('two that differ are refused', async () => {
    const { code, stdout } = await typed('s3cret\r', 's3crit\r')
    expect([code, stdout]).toEqual([64, expect.stringContaining('the two passwords differ')])
    expect(existsSync(users)).toBe(false)
  })

  test('control-C stops', async () => {
    const { code, stdout } = await typed('s3c\u0003')
    expect([code, stdout]).toEqual([64, 'Password for alice: \nelemta: stopped; nothing was changed\n'])
    expect(existsSync(users)).toBe(false)
  })
})
