// docs/plugins.md says what is so.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import borrowedNames from '../../examples/plugins/borrowed-names.ts'
import { PLUGIN_OUTCOMES } from '../../src/plugins/chain.ts'
import { HOOKS } from '../../src/plugins/plugin.ts'

const page = readFileSync('docs/plugins.md', 'utf8')

test('the example is the file', () => {
  expect(page).toContain(`\`\`\`ts\n${readFileSync('examples/plugins/borrowed-names.ts', 'utf8')}\`\`\``)
})

test('every hook has its row, every outcome its word', () => {
  for (const hook of [...HOOKS, 'close']) expect(page).toMatch(new RegExp(`^\\| \`${hook}\\(`, 'm'))
  const [, outcomes] = /outcome: ([\w,\s]+)\)/.exec(page)!
  expect(outcomes!.split(/,\s+/)).toEqual([...PLUGIN_OUTCOMES])
})

test('its way of testing one’s own works', async () => {
  const context = { metrics: { counter: () => ({ inc() {} }) } } as never
  const stranger = { trusted: false, client: { address: '203.0.113.9', helo: 'mail.example' }, suspicions: [] } as never
  const plugin = await borrowedNames({ names: ['Anna Chief'] }, context)
  const head = Buffer.from('From: Anna Chief <x@freemail.example>\r\n\r\n')
  expect(await plugin.message?.(stranger, { size: head.length, head } as never)).toMatchObject({ decision: 'tag' })
})
