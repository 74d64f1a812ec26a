// The functions of the monitoring as they are deployed: bundled to one ES module, small enough to start quickly, and alive
// when they are imported from anywhere.
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { afterAll, expect, test } from 'vitest'
import { NOTIFY_SLACK_ENVIRONMENT } from '../../monitoring/aws/function-contracts.ts'

const dir = mkdtempSync(join(tmpdir(), 'elemta-bundles-'))
afterAll(() => rmSync(dir, { recursive: true }))
const MEGABYTE = 1_000_000

/** As lib/constructs/node-function.ts has it done. */
async function bundle(name: string): Promise<{ size: number; file: string }> {
  const file = join(dir, `${name}.mjs`)
  await build({
    entryPoints: [`functions/${name}/handler.ts`],
    outfile: file,
    bundle: true,
    minify: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    mainFields: ['module', 'main'],
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  })
  return { file, size: statSync(file).size }
}

test.each(['notify-slack', 'provision-grafana'])('%s is one module below a megabyte that has a handler', async name => {
  const { file, size } = await bundle(name)
  expect(size).toBeLessThan(MEGABYTE)
  // Away from the repository, as in Lambda: nothing is found that is not in it.
  writeFileSync(join(dir, 'package.json'), '{}')
  const { handler } = (await import(pathToFileURL(file).href)) as { handler: (event: object) => Promise<unknown> }
  expect(handler).toBeTypeOf('function')
})

test('the bundled notify-slack asks for its secret and tells Slack', async () => {
  const { file } = await bundle('notify-slack')
  const asked: { path: string; target: string | undefined; body: Record<string, unknown> }[] = []
  const server = createServer(async (request, response) => {
    const target = request.headers['x-amz-target'] as string | undefined
    asked.push({ path: request.url ?? '', target, body: (await json(request)) as Record<string, unknown> })
    const { port } = server.address() as AddressInfo
    response.setHeader('content-type', 'application/x-amz-json-1.1')
    response.end(
      target ? JSON.stringify({ SecretString: JSON.stringify({ url: `http://127.0.0.1:${port}/hook` }) }) : 'ok',
    )
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  Object.assign(process.env, {
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
    [NOTIFY_SLACK_ENVIRONMENT.webhookSecret]: 'arn:aws:secretsmanager:eu-central-1:1:secret:SlackWebhook',
  })
  const { handler } = (await import(pathToFileURL(file).href)) as { handler: (event: object) => Promise<void> }
  await handler({ Records: [{ Sns: { Subject: 'Hello', Message: 'somebody' } }] })
  expect(asked).toMatchObject([
    { target: 'secretsmanager.GetSecretValue', body: { SecretId: expect.stringContaining('secret:SlackWebhook') } },
    { path: '/hook', body: { text: '*Hello*' } },
  ])
  server.close()
  server.closeAllConnections()
})
