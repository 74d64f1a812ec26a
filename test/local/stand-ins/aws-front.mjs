// The stand-in of localstack/localstack: the real LocalStack for S3, SQS and SNS, and MiniStack for DynamoDB, because
// LocalStack's own DynamoDB downloads a Java runtime when it starts. Where LocalStack is not installed (no Python 3.13)
// MiniStack answers for all; the first line of output says which. One port, 4566; scripts of /etc/localstack/init/ready.d
// run once all answer, in the order of their names, as the image does. SIGTERM ends all of it.
import { spawn } from 'node:child_process'
import { cpSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

const EMULATORS = readFileSync('/opt/stand-in/emulators', 'utf8').trim()
const READY = '/etc/localstack/init/ready.d'
const [PORT, LOCALSTACK, MINISTACK] = [4566, 4570, 4571]
const scripts = []
const children = []
let completed = false

const hasLocalstack = existsSync(`${EMULATORS}/localstack/installed`)
const others = hasLocalstack ? LOCALSTACK : MINISTACK
console.log(`stand-in: DynamoDB is MiniStack; all else is ${hasLocalstack ? 'LocalStack' : 'MiniStack, too'}`)

start([`${EMULATORS}/ministack/bin/ministack`], {
  GATEWAY_PORT: MINISTACK,
  BIND_HOST: '127.0.0.1',
  MINISTACK_HOST: 'localhost',
})
if (hasLocalstack) {
  const { SERVICES = 's3,sqs,sns', LOCALSTACK_HOST = 'localhost.localstack.cloud:4566' } = process.env
  const services = SERVICES.split(',').filter(service => service.trim() !== 'dynamodb')
  // Its image is built with this file: see scripts/setup-emulators.sh.
  cpSync(`${EMULATORS}/localstack/catalog`, '/tmp/localstack', { recursive: true })
  start([`${EMULATORS}/localstack/bin/python`, '-m', 'localstack.runtime.main'], {
    SERVICES: services.join(','),
    LOCALSTACK_HOST,
    GATEWAY_LISTEN: `127.0.0.1:${LOCALSTACK}`,
    // All that it keeps is there, which it does not believe in a container.
    FILESYSTEM_ROOT: '/tmp/localstack',
    OVERRIDE_IN_DOCKER: '0',
    DNS_ADDRESS: '0',
    SKIP_SSL_CERT_DOWNLOAD: '1',
    DISABLE_EVENTS: '1',
    // Its own service is not there, so it must not look for scripts that need it.
    CONFIG_DIR: '/tmp/localstack',
  })
}

function start([program, ...args], env) {
  const child = spawn(program, args, {
    env: { ...process.env, HOME: '/tmp', ...env },
    cwd: '/tmp',
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  child.on('exit', (code, signal) => end(`${program} ended with ${signal ?? code}`))
  children.push(child)
}

let ending = false
function end(why, code = 1) {
  if (ending) return
  ending = true
  console.log(`stand-in: ${why}`)
  for (const child of children) child.kill('SIGKILL')
  process.exit(code)
}
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => end(signal, 0))

const front = createServer((incoming, outgoing) => {
  if (incoming.url?.startsWith('/_localstack/init'))
    return answer(outgoing, { completed, scripts, stages: { READY: completed } })
  if (incoming.url === '/_localstack/health') return health().then(body => answer(outgoing, body))
  const target = String(incoming.headers['x-amz-target'] ?? '')
  const port = target.startsWith('DynamoDB') ? MINISTACK : others
  const { method, url: path, headers } = incoming
  const onward = request({ host: '127.0.0.1', port, method, path, headers }, answered => {
    outgoing.writeHead(answered.statusCode ?? 502, answered.headers)
    answered.pipe(outgoing)
  })
  onward.on('error', error => (outgoing.headersSent ? outgoing.destroy() : outgoing.writeHead(502).end(String(error))))
  incoming.pipe(onward)
  // Who hangs up takes no message from a queue.
  outgoing.on('close', () => onward.destroy())
})

function answer(outgoing, body) {
  outgoing
    .writeHead(200, { 'content-type': 'application/json' })
    .end(JSON.stringify(body, undefined, 1).replaceAll('\n', ''))
}

async function health() {
  const { services = {}, ...about } = await fetch(`http://127.0.0.1:${others}/_localstack/health`).then(answered =>
    answered.json(),
  )
  return { ...about, services: { ...services, dynamodb: 'running' } }
}

for (const port of new Set([MINISTACK, others])) {
  while (!(await fetch(`http://127.0.0.1:${port}/_localstack/health`).catch(() => undefined))?.ok) await sleep(100)
}
front.listen(PORT, '0.0.0.0', async () => {
  const names = existsSync(READY) ? readdirSync(READY).sort() : []
  for (const name of names) await runScript(name)
  completed = true
  console.log('Ready.')
})

function runScript(name) {
  const script = { stage: 'READY', name, state: 'RUNNING' }
  scripts.push(script)
  const path = `${READY}/${name}`
  const [program, args] = name.endsWith('.py')
    ? [`${EMULATORS}/${hasLocalstack ? 'localstack' : 'ministack'}/bin/python`, [path]]
    : [path, []]
  return new Promise(resolve => {
    const child = spawn(program, args, { stdio: 'inherit' })
    child.on('error', error => finish(String(error)))
    child.on('close', code => finish(code === 0 ? undefined : `exit code ${code}`))
    function finish(failure) {
      script.state = failure === undefined ? 'SUCCESSFUL' : 'ERROR'
      if (failure) console.log(`stand-in: ${path}: ${failure}`)
      resolve()
    }
  })
}
