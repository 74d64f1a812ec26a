// Users in a file, as logins meet them: before and after the file changes, for better or worse.
import { chmodSync, mkdtempSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { hashPassword } from '../../src/auth/password-hash.ts'
import { createUsersFile } from '../../src/auth/users-file.ts'
import { parseUsers, replaceUser } from '../../src/auth/users-lines.ts'
import { silentLog } from '../../src/platform/log.ts'
import { readableLog } from './log-lines.ts'

const hash = (password: string) => hashPassword(password, { ln: 4, r: 8, p: 1 })
const ALICE = `Alice:${await hash('s3cret')}:alice@example.com,sales@example.com`
const BOB = `bob@example.com:${await hash('b0b')}`

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'elemta-users-'))
  path = join(folder, 'users')
})
afterEach(() => rmSync(folder, { recursive: true }))

function write(...lines: string[]): void {
  writeFileSync(`${path}-next`, lines.map(line => `${line}\n`).join(''), { mode: 0o600 })
  renameSync(`${path}-next`, path)
}

function open(...lines: string[]) {
  write(...lines)
  return createUsersFile({ path, log: silentLog })
}

const failure = { outcome: 'failure' }

describe('a login', () => {
  test('with the right password, in any case of the name', async () => {
    const users = open('# who may submit', '', ALICE, BOB)
    const alice = { outcome: 'success', user: 'Alice', addresses: ['alice@example.com', 'sales@example.com'] }
    expect(await users.verify('Alice', 's3cret')).toEqual(alice)
    expect(await users.verify('aLICE', 's3cret')).toEqual(alice)
    expect(await users.verify('bob@example.com', 'b0b')).toEqual({ outcome: 'success', user: 'bob@example.com' })
  })

  test('with anything else', async () => {
    const users = open(ALICE, BOB)
    for (const [name, password] of [
      ['alice', 'S3cret'],
      ['alice', ''],
      ['alice', 'b0b'],
      ['mallory', 's3cret'],
      ['', ''],
      ['# who may submit', ''],
      ['__proto__', 'x'],
    ] as const) {
      expect(await users.verify(name, password)).toEqual(failure)
    }
  })

  test('of nobody, when there are no users yet', async () => {
    expect(await open().verify('alice', 's3cret')).toEqual(failure)
  })
})

describe('a file that changes', () => {
  test('counts from the next login on', async () => {
    const users = open(ALICE)
    expect(await users.verify('bob@example.com', 'b0b')).toEqual(failure)
    write(BOB)
    expect(await users.verify('bob@example.com', 'b0b')).toMatchObject({ outcome: 'success' })
    expect(await users.verify('alice', 's3cret')).toEqual(failure)
  })

  test('into nonsense, or is gone: the old users stay, and the log says so once', async () => {
    const { log, lines } = readableLog()
    write(ALICE)
    const users = createUsersFile({ path, log })
    write(ALICE, 'bob:b0b')
    expect(await users.verify('alice', 's3cret')).toMatchObject({ outcome: 'success' })
    expect(await users.verify('alice', 's3cret')).toMatchObject({ outcome: 'success' })
    const why = `${path}:2: the hash is not one made by: elemta user passwd NAME`
    expect(lines).toMatchObject([{ event: 'users-file-failed', file: path, why }])
    unlinkSync(path)
    expect(await users.verify('alice', 's3cret')).toMatchObject({ outcome: 'success' })
    expect(await users.verify('alice', 's3cret')).toMatchObject({ outcome: 'success' })
    expect(lines.length).toBe(2)
    write(BOB)
    expect(await users.verify('alice', 's3cret')).toEqual(failure)
    expect(lines.at(-1)).toMatchObject({ event: 'users-file-read', users: 1 })
  })
})

describe('at the start', () => {
  test.each([
    ['a password in clear', 'alice:s3cret', 'the hash is not one made by: elemta user passwd NAME'],
    ['no hash', 'alice', 'expected name:hash or name:hash:address,address'],
    ['no name', `:${ALICE.split(':')[1]}`, 'a name is missing'],
    ['a blank in the name', ALICE.replace('Alice', 'Ali ce'), 'a name holds no blanks, colons, commas or control'],
    ['no address', ALICE.replace('sales@', 'sales'), '"salesexample.com" is not an address'],
    ['one more field', `${ALICE}:x`, 'expected name:hash or name:hash:address,address'],
    ['a user twice', BOB.toUpperCase().replace(/:.*/, BOB.slice(BOB.indexOf(':'))), 'BOB@EXAMPLE.COM is there twice'],
  ])('%s is an error with its place', (_, line, message) => {
    expect(() => open('# users', BOB, line)).toThrow(`${path}:3: ${message}`)
  })

  test('an error never shows a hash or a password', () => {
    expect(() => open('alice:s3cret:')).toThrow(/^(?!.*s3cret)/)
  })

  test('no file is an error that says how to make one', () => {
    expect(() => createUsersFile({ path, log: silentLog })).toThrow(
      `${path}: there is no such users file; make it by: elemta user add NAME`,
    )
  })

  test('a file that everyone reads is worth a warning', () => {
    const { log, lines } = readableLog()
    write(ALICE)
    chmodSync(path, 0o644)
    createUsersFile({ path, log })
    expect(lines).toMatchObject([{ event: 'users-file-exposed', file: path }])
  })
})

test('one line changes, all others stay as they are', () => {
  const text = `# alice:is a comment\n${ALICE}\n\n${BOB}\n`
  expect(replaceUser(text, 'ALICE', 'alice:new')).toBe(`# alice:is a comment\nalice:new\n\n${BOB}\n`)
  expect(replaceUser(text, 'bob@example.com', null)).toBe(`# alice:is a comment\n${ALICE}\n\n`)
  expect(replaceUser(text, 'carol', 'carol:new')).toBe(`${text}carol:new\n`)
  expect(replaceUser('', 'carol', 'carol:new')).toBe('carol:new\n')
  expect([...parseUsers(text.replaceAll('\n', '\r\n'), 'users').keys()]).toEqual(['alice', 'bob@example.com'])
})
