import { describe, expect, test } from 'vitest'
import {
  formatReply,
  reply,
  replyForError,
  replyText,
  SmtpError,
  storageFull,
  tryAgainLater,
} from '../../src/mail/reply.ts'

describe('a reply', () => {
  test('has one class in both codes', () => {
    expect(() => reply(550, '4.7.1', 'no')).toThrow(RangeError)
    expect(() => reply(451, '5.3.0', 'no')).toThrow(RangeError)
    expect(reply(550, '5.7.1', 'no').code).toBe(550)
  })

  test('of one line, of several, and without an enhanced code', () => {
    expect(formatReply(reply(250, '2.0.0', 'Ok'))).toBe('250 2.0.0 Ok\r\n')
    expect(formatReply(reply(550, '5.7.1', 'No.\nNever.'))).toBe('550-5.7.1 No.\r\n550 5.7.1 Never.\r\n')
    expect(formatReply(reply(250, '', 'mx\nSIZE'))).toBe('250-mx\r\n250 SIZE\r\n')
  })

  test('is one line in a log', () => {
    expect(replyText(reply(550, '5.7.1', 'No.\nNever.'))).toBe('550 5.7.1 No. Never.')
    expect(replyText(reply(354, '', 'Go on'))).toBe('354 Go on')
  })
})

describe('the reply for an error', () => {
  test('is what an SmtpError says', () => {
    const refusal = reply(550, '5.7.1', 'no')
    expect(replyForError(new SmtpError(refusal))).toBe(refusal)
  })

  test.each(['ENOSPC', 'EDQUOT'])('with code %s is 451 4.3.1', code => {
    expect(replyForError(Object.assign(new Error('full'), { code }))).toBe(storageFull)
  })

  test.each([new Error('550 no such user'), 'a string', undefined, null, { code: 'ENOSPC' }, { responseCode: 550 }])(
    'nobody classified (%s) is 451 4.3.0',
    error => {
      expect(replyForError(error)).toBe(tryAgainLater)
    },
  )
})
