// Plugins from files and packages: what is loaded, and what is said when it cannot be.
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadPlugin } from '../../src/plugins/load.ts'
import type { PluginContext } from '../../src/plugins/plugin.ts'
import { contextFor } from '../policy/ask.ts'
import { view } from './chained.ts'

let directory: string
let context: PluginContext
const before = process.cwd()

beforeAll(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'elemta-plugins-')))
  process.chdir(directory)
  context = contextFor('test')
})

afterAll(async () => {
  process.chdir(before)
  await rm(directory, { recursive: true, force: true })
})

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(directory, path)), { recursive: true })
  await writeFile(join(directory, path), text)
}

const tagging = (text: string) =>
  `export default (config, { hostname }) => ({ sender: () => ({ decision: 'tag', why: '${text}', headers: [] }) })`

async function whatItSays(name: string): Promise<unknown> {
  const plugin = await loadPlugin(name, {}, context)
  return plugin.sender?.(view)
}

test('by a path relative to the working directory, in TypeScript, with imports of its own', async () => {
  await write('plugins/words.ts', "export const word: string = 'from a path'\n")
  await write(
    'plugins/path.ts',
    `import { word } from './words.ts'
     export default (_config: unknown) => ({ sender: () => ({ decision: 'tag', why: word, headers: [] }) })`,
  )
  expect(await whatItSays('./plugins/path.ts')).toMatchObject({ why: 'from a path' })
  expect(await whatItSays(join(directory, 'plugins/path.ts'))).toMatchObject({ why: 'from a path' })
})

test.each([
  ['elemta-plugin-words', { main: './index.js' }],
  ['@site/words', { exports: './index.js' }],
])('by the name of a package that is installed in the working directory: %s', async (name, entry) => {
  const home = join('node_modules', name)
  await write(join(home, 'package.json'), JSON.stringify({ name, version: '1.0.0', type: 'module', ...entry }))
  await write(join(home, 'index.js'), tagging(`from ${name}`))
  expect(await whatItSays(name)).toMatchObject({ why: `from ${name}` })
})

test('the factory gets its settings and its context, and may take its time', async () => {
  await write(
    'settings.ts',
    `export default async ({ word }, { name, hostname, log, now, dns, store, metrics }) => {
       await new Promise(resolve => setImmediate(resolve))
       return { sender: () => ({ decision: 'tag', why: [word, name, hostname, typeof now()].join(' '), headers: [] }) }
     }`,
  )
  const plugin = await loadPlugin('./settings.ts', { word: 'hello' }, context)
  expect(plugin.sender?.(view)).toMatchObject({ why: 'hello test mx.ours.test number' })
})

const wrong: [what: string, module: string | undefined, problem: RegExp][] = [
  ['is not there', undefined, /^plugin \.\/wrong-0\.ts: it cannot be loaded: .*Correct the path under plugins$/],
  ['is no JavaScript', 'export default {{', /it cannot be loaded: /],
  ['throws while it is loaded', "throw new Error('no licence')", /it cannot be loaded: no licence\./],
  [
    'imports what is not there',
    "import './missing.ts'\nexport default () => ({})",
    /it cannot be loaded: .*missing\.ts/,
  ],
  ['has no default export', 'export const plugin = () => ({})', /its module has no default export that is a function$/],
  ['exports an object', 'export default {}', /its module has no default export that is a function$/],
  [
    'refuses its settings',
    "export default () => { throw new Error('key: is missing') }",
    /configuration: key: is missing$/,
  ],
  ['throws a string', "export default () => { throw 'odd' }", /it refuses its configuration: odd$/],
  ['returns nothing', 'export default () => {}', /its default export returns no plugin/],
  [
    'has no hook',
    'export default () => ({ recipents() {} })',
    /it has none of the hooks connect, sender, recipient, message$/,
  ],
  ['has a hook that is none', 'export default () => ({ sender: true })', /its sender is no function$/],
]

test.each(wrong.map((row, n) => [...row, n] as const))('a plugin that %s', async (_what, module, problem, n) => {
  if (module !== undefined) await write(`wrong-${n}.ts`, module)
  const loading = loadPlugin(`./wrong-${n}.ts`, {}, context)
  await expect(loading).rejects.toMatchObject({ exitCode: 78, message: expect.stringMatching(problem) })
  await expect(loading).rejects.toThrow(`plugin ./wrong-${n}.ts: `)
})

test('a package that is not installed: how to install it', async () => {
  await expect(loadPlugin('elemta-plugin-nowhere', {}, context)).rejects.toMatchObject({
    exitCode: 78,
    message: expect.stringMatching(
      /^plugin elemta-plugin-nowhere: .*Install it \(npm install elemta-plugin-nowhere\)$/,
    ),
  })
})

test('a factory that never comes back', async () => {
  await write('hangs.ts', 'export default () => new Promise(() => {})')
  await expect(loadPlugin('./hangs.ts', {}, context, 20)).rejects.toMatchObject({
    exitCode: 78,
    message: 'plugin ./hangs.ts: is not ready after 0.02 s',
  })
})
