// The example plugin of docs/plugins.md, tested as one would test one's own: made by its factory, asked by its hooks.
import { expect, test } from 'vitest'
import borrowedNames from '../../examples/plugins/borrowed-names.ts'
import type { MessageView } from '../../src/plugins/plugin.ts'
import { contextFor, from, said } from '../policy/ask.ts'

const context = contextFor('./examples/plugins/borrowed-names.ts')
const plugin = await borrowedNames({ names: ['Anna Chief', 'Zoë Müller'] }, context)

function message(...header: string[]): MessageView {
  const head = Buffer.from([...header, '', 'From: "Anna Chief" <in@the.body>', ''].join('\r\n'))
  return {
    size: head.length,
    head,
    async *chunks() {
      yield head
    },
  }
}

test.each([
  ['From: Anna Chief <a.chief@freemail.example>', 'Anna Chief'],
  ['From: "CHIEF, Anna" <x@y.example>', undefined],
  ['from: "anna.chief" <x@y.example>', 'Anna Chief'],
  ['From: Anna\r\n Chief (the boss)\r\n <x@y.example>', 'Anna Chief'],
  [`From: =?UTF-8?B?${Buffer.from('Anna Chief').toString('base64')}?= <x@y.example>`, 'Anna Chief'],
  ['From: =?utf-8?q?Zo=C3=AB_M=C3=BCller?= <x@y.example>', 'Zoë Müller'],
  ['From: Zoe Muller <x@y.example>', 'Zoë Müller'],
  ['From: anna.chief@example.com', undefined],
  ['From: Bob <bob@sender.example>\r\nTo: Anna Chief <anna@example.com>', undefined],
  ['Subject: no From at all', undefined],
])('%s', async (header, name) => {
  expect(await said(plugin.message?.(from(), message(header)))).toBe(
    name === undefined ? 'pass' : `tag: the sender calls itself ${name}`,
  )
})

test('our own people may call themselves as they like', async () => {
  const ours = from({ user: 'anna' })
  expect(await said(plugin.message?.(ours, message('From: Anna Chief <anna@example.com>')))).toBe('pass')
})

test('action: reject', async () => {
  const strict = await borrowedNames({ names: ['Anna Chief'], action: 'reject' }, context)
  expect(await said(strict.message?.(from(), message('From: Anna Chief <x@y.example>')))).toBe(
    '550 5.7.1 This name is not yours to use',
  )
})

test.each([
  [{}, /^names: /],
  [{ names: [] }, /^names: /],
  [{ names: 'Anna Chief' }, /^names: /],
  [{ names: ['Anna Chief'], action: 'drop' }, /^action: /],
])('settings that make no sense: %j', (config, problem) => {
  expect(() => borrowedNames(config, context)).toThrow(problem)
})
