// `elemta learn` as a person meets it, with the real rspamd.
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from '../../../local/embedded/port.ts'
import { mail } from '../messages.ts'
import { type RealRspamd, realRspamd } from '../real-daemons.ts'

let daemon: RealRspamd
let folder: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'elemta-learn-'))
  daemon = await realRspamd({ zones: '' })
}, 120_000)

afterAll(async () => {
  await daemon?.stop()
  rmSync(folder, { recursive: true, force: true })
})

function message(name: string, text: string): string {
  const file = join(folder, name)
  writeFileSync(file, mail(text))
  return file
}

/** Runs `elemta learn` for the controller on this port. */
function learn(port: number, args: string[], input?: Buffer) {
  const config = join(folder, `${port}.yaml`)
  const rspamd = `{ name: rspamd, config: { managed: false, controller_port: ${port} } }`
  writeFileSync(config, `data_dir: ${join(folder, 'data')}\nplugins: [${rspamd}]\n`)
  return new Promise<{ code: number; stdout: string; stderr: string }>(done => {
    const command = ['bin/elemta.ts', 'learn', ...args, '--config', config]
    const child = execFile(process.execPath, command, (error, stdout, stderr) => {
      done({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    })
    child.stdin?.end(input)
  })
}

const LONG = Array.from({ length: 100 }, (_, n) => `bargain${n * 7919}`).join(' ')

test('files are learned once, by Bayes and by their fuzzy hashes, and counted', async () => {
  const advert = message('advert.eml', `Buy ${LONG}`)
  const short = message('short.eml', 'hi')
  expect(await learn(daemon.controllerPort, ['spam', advert, advert, short])).toEqual({
    code: 0,
    stdout: `${advert}: learned with its fuzzy hashes
${advert}: known (${/^Message-ID: (.*)\r$/m.exec(readFileSync(advert, 'utf8'))?.[1]} has been already learned as spam, ignore it) with its fuzzy hashes
${short}: skipped (Bayes is sure of it already, or it has too few words)
spam: 1 learned, 1 known already, 1 skipped, 0 refused; fuzzy hashes stored of 2
`,
    stderr: '',
  })
})

test('standard input is read where the file is -', async () => {
  const text = 'The minutes of our meeting about the budget, the roadmap and the new coffee machine in the kitchen'
  const { code, stdout } = await learn(daemon.controllerPort, ['ham', '-'], mail(text))
  expect(stdout).toMatch(/^-: learned\nham: 1 learned, 0 known already, 0 skipped, 0 refused;/)
  expect(code).toBe(0)
})

test('what cannot be done is said in a sentence', async () => {
  const nobody = await freePort()
  const file = message('mail.eml', 'hello')
  expect(await learn(nobody, ['ham', file])).toEqual({
    code: 69,
    stdout: '',
    stderr: `elemta: no controller of rspamd answers on 127.0.0.1:${nobody}: start the gateway, or set host and controller_port of the plugin rspamd\n`,
  })
  const missing = await learn(daemon.controllerPort, ['ham', join(folder, 'none.eml')])
  expect([missing.code, missing.stderr]).toEqual([64, expect.stringMatching(/^elemta: cannot be read: .*none\.eml/)])
  const wrong = await learn(daemon.controllerPort, ['maybe', file])
  expect([wrong.code, wrong.stderr]).toEqual([64, expect.stringContaining('Allowed choices are ham, spam')])
})

test('a controller that asks for a password', async () => {
  const server = createServer((request, response) => {
    request.resume()
    if (request.url === '/ping') response.end('pong\r\n')
    else response.writeHead(401).end('{"error":"Unauthorized"}')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const { code, stderr } = await learn(port, ['spam', message('mail.eml', 'hello')])
  server.closeAllConnections()
  server.close()
  expect(code).toBe(69)
  expect(stderr).toBe(
    `elemta: rspamd's controller at 127.0.0.1:${port} asks for a password: set password (or password_file) of the plugin rspamd\n`,
  )
})
