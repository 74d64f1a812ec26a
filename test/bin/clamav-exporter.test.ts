// `elemta clamav exporter` as a process of its own, beside a clamd.
import { expect, inject, onTestFinished, test } from 'vitest'
import { freePort } from '../../local/embedded/port.ts'
import { elemta, startProgram } from '../pipeline/program.ts'

/** Resolves with where it answers. */
async function start(clamd: string) {
  const program = startProgram(['clamav', 'exporter', '--clamd', clamd, '--listen', '127.0.0.1:0'])
  onTestFinished(() => void program.process.kill('SIGKILL'))
  const address = () => /http:\S+/.exec(program.errors())?.[0]
  await expect.poll(address, { timeout: 10_000 }).toBeDefined()
  return { ...program, url: address()! }
}

test('answers for its clamd, and ends when it is told to', async () => {
  const { host, port } = inject('clamav')
  const exporter = await start(`${host}:${port}`)
  const response = await fetch(exporter.url)
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
  const text = await response.text()
  expect(text).toMatch(/^clamav_up 1$/m)
  expect(text).toMatch(/^clamav_build_info\{engine="\d+\.\d+\.\d+"\} 1$/m)
  expect((await fetch(exporter.url.replace('/metrics', '/'))).status).toBe(404)
  exporter.process.kill('SIGTERM')
  expect(await exporter.ended).toBe(0)
})

test('goes on answering while clamd is not there', async () => {
  const exporter = await start(`127.0.0.1:${await freePort()}`)
  const text = await (await fetch(exporter.url)).text()
  expect(text.match(/^clamav_\S+.*$/gm)).toEqual(['clamav_up 0'])
})

test.each([
  ['--clamd', 'nowhere'],
  ['--clamd', '127.0.0.1:0'],
  ['--clamd', '127.0.0.1:70000'],
  ['--clamd', '::1:3310'],
  ['--clamd', '127.0.0.1:3310', '--listen', '9906'],
])('%s %s is a wrong usage', async (...options) => {
  expect(await elemta('clamav', 'exporter', ...options)).toMatchObject({ code: 64 })
})
