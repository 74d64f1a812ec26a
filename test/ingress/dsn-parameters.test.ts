import { describe, expect, test } from 'vitest'
import { decodeXtext, encodeXtext, escapeUtf8Address, unescapeUtf8Address } from '../../src/mail/xtext.ts'
import { greeted } from './dialogue.ts'
import { start } from './start.ts'

test('EHLO offers DSN', async () => {
  const { port } = await start()
  const client = await greeted(port)
  expect((await client.say('EHLO c')).split('\n')).toContain('250 DSN')
})

describe('MAIL', () => {
  test.each([
    ['RET=FULL', /^250 /],
    ['ret=hdrs', /^250 /],
    ['RET=HDRS ENVID=QQ314159', /^250 /],
    [`ENVID=${'x'.repeat(100)}`, /^250 /],
    ['RET=HALF', /^501 5\.5\.4 /],
    ['RET', /^501 5\.5\.4 /],
    ['RET=FULL RET=FULL', /^501 5\.5\.4 /],
    [`ENVID=${'x'.repeat(101)}`, /^501 5\.5\.4 /],
    ['ENVID=', /^501 5\.5\.4 /],
    ['ENVID=a+b', /^501 5\.5\.4 /],
    ['ENVID=a+0D+0AX-Forged:+20yes', /^501 5\.5\.4 /],
    ['ENVID=a ENVID=b', /^501 5\.5\.4 /],
    ['NOTIFY=NEVER', /^555 5\.5\.4 /],
  ])('%s is answered as it should be', async (parameters, reply) => {
    const { port } = await start()
    const client = await greeted(port)
    expect(await client.say(`MAIL FROM:<a@b.test> ${parameters}`)).toMatch(reply)
  })
})

describe('RCPT', () => {
  test.each([
    ['NOTIFY=NEVER', /^250 /],
    ['notify=success,FAILURE,delay', /^250 /],
    ['NOTIFY=FAILURE ORCPT=rfc822;Bob+40example.com', /^250 /],
    ['NOTIFY=NEVER,FAILURE', /^501 5\.5\.4 /],
    ['NOTIFY=FAILURE,FAILURE', /^501 5\.5\.4 /],
    ['NOTIFY=SOMETIMES', /^501 5\.5\.4 /],
    ['NOTIFY=', /^501 5\.5\.4 /],
    ['NOTIFY', /^501 5\.5\.4 /],
    ['NOTIFY=NEVER NOTIFY=NEVER', /^501 5\.5\.4 /],
    ['ORCPT=bob@example.com', /^501 5\.5\.4 /],
    ['ORCPT=rfc822;', /^501 5\.5\.4 /],
    ['ORCPT=rfc822;a+0D+0AAction:+20delivered', /^501 5\.5\.4 /],
    ['ORCPT=utf-8;r\\x{D}@example.com', /^501 5\.5\.4 /],
    [`ORCPT=rfc822;${'x'.repeat(500)}`, /^501 5\.5\.4 /],
    ['RET=FULL', /^555 5\.5\.4 /],
  ])('%s is answered as it should be', async (parameters, reply) => {
    const { port } = await start()
    const client = await greeted(port)
    await client.say('MAIL FROM:<a@b.test>')
    expect(await client.say(`RCPT TO:<bob@example.com> ${parameters}`)).toMatch(reply)
  })
})

test('what was said is in the envelope, decoded; the first RCPT of an address counts', async () => {
  const { port, accepted } = await start()
  const client = await greeted(port)
  await client.say('MAIL FROM:<a@b.test> RET=FULL ENVID=Order+2B1+3D2')
  await client.say('RCPT TO:<bob@example.com> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob+2BWork@Old.example')
  await client.say('RCPT TO:<bob@example.com> NOTIFY=NEVER')
  await client.say('RCPT TO:<carol@example.com> NOTIFY=NEVER ORCPT=utf-8;ren\\x{E9}@example.com')
  await client.say('RCPT TO:<dave@example.com>')
  await client.say('DATA')
  expect(await client.say('Subject: x\r\n\r\nx\r\n.')).toMatch(/^250 /)
  expect(accepted()[0]?.message.envelope).toMatchObject({
    ret: 'full',
    envelopeId: 'Order+1=2',
    recipients: [
      { address: 'bob@example.com', notify: ['success', 'delay'], originalRecipient: 'rfc822;Bob+Work@Old.example' },
      { address: 'carol@example.com', notify: [], originalRecipient: 'utf-8;rené@example.com' },
      { address: 'dave@example.com' },
    ],
  })
})

test('xtext holds any text, and nothing else than printable ASCII comes out of it', () => {
  expect(encodeXtext('a+b=c d\\{é}')).toBe('a+2Bb+3Dc+20d\\{+C3+A9}')
  expect(decodeXtext('a+2Bb+3Dc+20d')).toBe('a+b=c d')
  for (const bad of ['a b', 'a=b', '+', '+2', '+2b', '+00', '+0A', '+7F', '+C3+A9', 'é']) {
    expect(decodeXtext(bad)).toBeUndefined()
  }
  expect(escapeUtf8Address('rené "x"@example.com')).toBe('ren\\x{E9}\\x{20}"x"@example.com')
  expect(unescapeUtf8Address('ren\\x{E9}@example.com')).toBe('rené@example.com')
  for (const bad of ['a\\b', '\\x{}', '\\x{0A}', '\\x{D800}', '\\x{110000}', '\\x{e9}']) {
    expect(unescapeUtf8Address(bad)).toBeUndefined()
  }
})
