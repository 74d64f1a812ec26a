// Whose doing it is that a message was not taken for now.
import { expect, test } from 'vitest'
import { tempfailReason } from '../../src/ingress/tempfail-reason.ts'
import { reply, storageFull, tryAgainLater } from '../../src/mail/reply.ts'

const greylisted = reply(451, '4.7.1', 'Greylisted')

test.each([
  ['a disk that is full', { reply: storageFull }, 'room'],
  ['a store that fails', { reply: tryAgainLater }, 'storage'],
  ['a plugin that defers', { reply: greylisted, plugin: 'greylist', why: 'new' }, 'policy'],
  ['a plugin that fails', { reply: tryAgainLater, plugin: 'mine', why: 'it threw' }, 'other'],
  ['a scan while the client waits', { reply: greylisted, why: 'soft reject' }, 'scan'],
] as const)('%s: %j is counted as %s', (_, ending, reason) => {
  expect(tempfailReason(ending)).toBe(reason)
})
