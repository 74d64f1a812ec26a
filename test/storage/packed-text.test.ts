import { expect, test } from 'vitest'
import { pack, unpack } from '../../src/storage/packed-text.ts'

test.each(['', '{}', 'Ünï\u0000\n', JSON.stringify({ headers: 'x'.repeat(100_000) })])(
  'gives back what was packed',
  text => {
    expect(unpack(pack(text))).toBe(text)
  },
)

test('what an earlier version has packed can be read', () => {
  const packed = 'AMP0t2OAm5+ZWYi3R6Cjn5+3Eq64xxaq6UWH9xyen6pUCwA='
  const text = '{"queueId":"1M81GGAPFN66TKHQANNK","event":"delivered","reply":"250 2.0.0 Ok: grüße"}'
  expect(unpack(Buffer.from(packed, 'base64'))).toBe(text)
})

test('what a later version has packed is not guessed at', () => {
  expect(() => unpack(Buffer.of(200, 1, 2, 3))).toThrow('later version')
})
