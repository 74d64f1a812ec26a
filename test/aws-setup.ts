// The emulators of `npm run test:aws`, from scripts/setup-emulators.sh: MiniStack, and LocalStack for S3 and SQS where it
// could be installed; both for CloudFormation. Each on a free port, with its files in a directory of its own, stopped and
// removed at the end.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TestProject } from 'vitest/node'

const SETUP = new URL('../scripts/setup-emulators.sh', import.meta.url).pathname
const PATIENCE = 60_000

declare module 'vitest' {
  interface ProvidedContext {
    /** Addresses of emulators by name. */
    emulators?: Readonly<Record<string, string>>
    /** The program. */
    cfnLint?: string
  }
}

type Emulator = Readonly<{ name: string; url: string; child: ChildProcess; logFile: string }>

export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const where = execFileSync(SETUP, { encoding: 'utf8' }).trim()
  const directory = mkdtempSync(join(tmpdir(), 'elemta-emulators-'))
  const [localstackPort, ministackPort] = [await freePort(), await freePort()]
  const startLocalstack = () =>
    start('localstack', localstackPort, [`${where}/localstack/bin/python`, '-m', 'localstack.runtime.main'], {
      SERVICES: 's3,sqs,sns,cloudformation,cloudwatch,ec2,events,iam,kms,logs,secretsmanager,ssm,sts',
      GATEWAY_LISTEN: `127.0.0.1:${localstackPort}`,
      FILESYSTEM_ROOT: join(directory, 'localstack'),
      DNS_ADDRESS: '0',
      SKIP_SSL_CERT_DOWNLOAD: '1',
      DISABLE_EVENTS: '1',
      EAGER_SERVICE_LOADING: '1',
    })
  const emulators = [
    start('ministack', ministackPort, [`${where}/ministack/bin/ministack`], {
      GATEWAY_PORT: String(ministackPort),
      BIND_HOST: '127.0.0.1',
      MINISTACK_HOST: '127.0.0.1',
    }),
    ...(existsSync(`${where}/localstack`) ? [startLocalstack()] : []),
  ]
  process.stdout.write(`S3 and SQS: ${emulators.at(-1)!.name}; DynamoDB: ${emulators[0]!.name}\n`)

  function start(name: string, port: number, [program = '', ...args]: string[], env: Record<string, string>): Emulator {
    const logFile = join(directory, `${name}.log`)
    const child = spawn(program, args, {
      env: { ...process.env, ...env },
      cwd: directory,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const log = createWriteStream(logFile)
    child.stdout.pipe(log, { end: false })
    child.stderr.pipe(log, { end: false })
    return { name, url: `http://127.0.0.1:${port}`, child, logFile }
  }

  async function stop() {
    for (const { child } of emulators) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    rmSync(directory, { recursive: true, force: true })
  }

  try {
    await Promise.all(emulators.map(ready))
  } catch (error) {
    await stop()
    throw error
  }
  provide('awsEndpoint', emulators.at(-1)!.url)
  provide('dynamodbEndpoint', emulators[0]!.url)
  provide('emulators', Object.fromEntries(emulators.map(({ name, url }) => [name, url])))
  provide('cfnLint', `${where}/cfn-lint/bin/cfn-lint`)
  return stop
}

async function ready({ name, url, child, logFile }: Emulator): Promise<void> {
  for (const began = performance.now(); ; await sleep(100)) {
    const answer = await fetch(`${url}/_localstack/health`).catch(() => undefined)
    if (answer?.ok) return
    if (child.exitCode !== null || performance.now() - began > PATIENCE) {
      throw new Error(`${name} does not start:\n${readFileSync(logFile, 'utf8').slice(-3000)}`)
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
