// scripts/generate-test-load.sh: finds the gateway, sends, and ends as the load did.
import { execFile } from 'node:child_process'
import { expect, test } from 'vitest'
import { freePort } from '../../local/embedded/port.ts'
import { startGateway } from '../pipeline/gateway.ts'

const SCRIPT = new URL('../../scripts/generate-test-load.sh', import.meta.url).pathname
const SHORT = ['--rate', '10', '--duration', '500ms', '--mix', 'clean=1']

function run(args: readonly string[], env: Record<string, string>) {
  return new Promise<{ code: number; stdout: string; stderr: string }>(resolve => {
    execFile(SCRIPT, args, { env: { PATH: process.env.PATH!, ...env } }, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    )
  })
}

test('sends to the gateway that it is given, and compares with its metrics', async () => {
  await using gateway = await startGateway()
  const ELEMTA_METRICS = `http://127.0.0.1:${gateway.opsPort}/metrics`
  const where = { ELEMTA_SMTP: `127.0.0.1:${gateway.port}`, ELEMTA_METRICS, ELEMTA_TO: 'bob@example.com' }
  const { code, stdout } = await run(SHORT, where)
  expect(stdout).toMatch(/^sent 5 = accepted 5 \+ refused 0 \+ not answered 0$/m)
  expect(stdout).toMatch(/^received by the gateway: 5$/m)
  expect(code).toBe(0)
  expect((await run([...SHORT, '--expect', 'clean=5'], where)).code).toBe(1)
})

test('says where it looked when nobody is there', async () => {
  const ELEMTA_SMTP = `127.0.0.1:${await freePort()}`
  const { code, stderr } = await run(SHORT, { ELEMTA_SMTP })
  expect(code).toBe(69)
  expect(stderr).toContain(`no gateway answers on ${ELEMTA_SMTP}`)
})

test('explains itself', async () => {
  const { code, stdout } = await run(['--help'], {})
  expect(code).toBe(0)
  expect(stdout).toMatch(/ELEMTA_SMTP[\s\S]*--seed <number>/)
})
