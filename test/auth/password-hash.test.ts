// Passwords as they are kept.
import { expect, test } from 'vitest'
import { DEFAULT_COST, hashPassword, parsePasswordHash, verifyPassword } from '../../src/auth/password-hash.ts'

const CHEAP = { ln: 4, r: 8, p: 1 }
const verify = (password: string, text: string) => verifyPassword(password, parsePasswordHash(text)!)

test('a hash knows its password and no other', async () => {
  const text = await hashPassword('correct horse', CHEAP)
  expect(text).toMatch(/^\$scrypt\$ln=4,r=8,p=1\$/)
  expect(text).not.toContain('horse')
  expect(await verify('correct horse', text)).toBe(true)
  expect(await verify('correct horsf', text)).toBe(false)
  expect(await verify('', text)).toBe(false)
})

test('the same password has another hash each time', async () => {
  expect(await hashPassword('x', CHEAP)).not.toBe(await hashPassword('x', CHEAP))
})

test('by default it costs what is asked of scrypt today', async () => {
  expect(DEFAULT_COST).toEqual({ ln: 14, r: 8, p: 5 })
  const text = await hashPassword('s3cret')
  expect(parsePasswordHash(text)).toMatchObject(DEFAULT_COST)
  expect(await verify('s3cret', text)).toBe(true)
})

test('what looks the same is the same password', async () => {
  expect(await verify('caf\u00e9', await hashPassword('cafe\u0301', CHEAP))).toBe(true)
})

test('the test vector of RFC 7914 §12', async () => {
  const hash = '/bq+HJ00cgB4VucZDQHp/nxq18vII3gw53N2Y0s3MWIurzDZLiKjiG/xCSedmDDaxyevuUqD7m2DYMvfoswGQA'
  expect(await verify('password', `$scrypt$ln=10,r=8,p=16$${base64('NaCl')}$${hash}`)).toBe(true)
  expect(await verify('Password', `$scrypt$ln=10,r=8,p=16$${base64('NaCl')}$${hash}`)).toBe(false)
})

function base64(text: string): string {
  return Buffer.from(text).toString('base64').replace(/=+$/, '')
}

const [SALT, HASH] = ['c2FsdHNhbHRzYWx0', 'A'.repeat(43)]
test.each([
  '',
  's3cret',
  '$2b$12$abcdefghijklmnopqrstuv',
  `$scrypt$ln=0,r=8,p=1$${SALT}$${HASH}`,
  `$scrypt$ln=14,r=8,p=5$${SALT}$`,
  `$scrypt$ln=14,r=8,p=5$$${HASH}`,
  `$scrypt$ln=14,r=8$${SALT}$${HASH}`,
  // Half a gigabyte of memory; a quarter of an hour of time.
  `$scrypt$ln=19,r=8,p=1$${SALT}$${HASH}`,
  `$scrypt$ln=14,r=8,p=999$${SALT}$${HASH}`,
])('no hash: %j', text => {
  expect(parsePasswordHash(text)).toBeUndefined()
})
