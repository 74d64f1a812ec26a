// Signatures on their way from ClamAV's servers to the scanners of a stage, with the real freshclam and the real clamd, a
// mirror on this machine and an emulated bucket: one task fetches, all scanners follow, and nobody loads half a file.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { signatureDatabase } from '../../local/drill/signature-database.ts'
import { freePort } from '../../local/embedded/port.ts'
import { findProgram } from '../../local/embedded/program.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { createClamav } from '../../src/scan/clamav.ts'
import { accepted, whole } from '../scan/messages.ts'
import { awsEndpoint, CREDENTIALS, newBucket, REGION, s3Client } from '../storage/s3.ts'

const MAIN = new URL('../../containers/signatures/main.ts', import.meta.url).pathname
/** The second is who freshclam says it is, to ClamAV's servers. */
const FILES = ['daily.cud', 'freshclam.dat']
const BUILT = { 1: new Date('2026-11-20T10:00:00Z'), 2: new Date('2026-11-21T10:00:00Z') }

let directory: string
let mirror: Server
let s3: S3Client
let bucket: string
let database: Buffer
const children: ChildProcess[] = []

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'elemta-signatures-'))
  s3 = s3Client(await awsEndpoint())
  bucket = await newBucket(s3)
  mirror = createServer(({ url }, response) => {
    if (url === '/daily.cud') response.end(database)
    else response.writeHead(404).end()
  }).listen(0, '127.0.0.1')
  await once(mirror, 'listening')
})
afterAll(async () => {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
  mirror.close()
  s3.destroy()
  rmSync(directory, { recursive: true })
})

/** A volume of a task of its own. */
function volume(name: string): string {
  const path = join(directory, name)
  mkdirSync(path)
  return path
}

async function environmentOf(volume: string, more: Record<string, string> = {}) {
  const { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY } = CREDENTIALS
  const aws = { AWS_REGION: REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL: await awsEndpoint() }
  return { PATH: process.env.PATH, ...aws, ELEMTA_BUCKET: bucket, SIGNATURES_DIRECTORY: volume, ...more }
}

/** The files that it says it has moved. Rejects where it fails. */
async function keeper(action: string, volume: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, action], { env: await environmentOf(volume) })
  const said = stdout.split('\n').filter(line => line.includes('signatures-moved'))
  return said.flatMap(line => JSON.parse(line).files)
}

const isWell = (volume: string) =>
  keeper('check', volume).then(
    () => true,
    () => false,
  )

/** What the scheduled task does, in a volume that nobody has used before. */
async function mirrorRuns(name: string) {
  const path = volume(name)
  const pulled = await keeper('pull', path)
  const configuration = join(directory, `${name}.conf`)
  const { port } = mirror.address() as AddressInfo
  const ours = readFileSync('containers/clamav/freshclam.conf', 'utf8').replace('/var/lib/clamav', path)
  writeFileSync(configuration, `${ours}DatabaseOwner root\nDatabaseCustomURL http://127.0.0.1:${port}/daily.cud\n`)
  const freshclam = findProgram('freshclam', 'clamav-freshclam')
  const args = ['--config-file', configuration, '--foreground', '--stdout', '--update-db=custom']
  await promisify(execFile)(freshclam, args)
  const pushed = await keeper('push', path)
  return { pulled, pushed }
}

function publish(version: 1 | 2, ...words: string[]): void {
  const signatures = words.map(word => `Test.${word}:0:*:${Buffer.from(`${word}-virus-${word}`).toString('hex')}`)
  database = signatureDatabase(version, BUILT[version], signatures)
}

/** clamd as the image has it, but for the places of its files and for looking at them more often. */
async function startClamd(signatures: string) {
  const [configuration, temporary, port] = [join(directory, 'clamd.conf'), volume('tmp'), await freePort()]
  const ours = readFileSync('containers/clamav/clamd.conf', 'utf8')
    .replace('/var/lib/clamav', signatures)
    .replace(/^TemporaryDirectory .*/m, `TemporaryDirectory ${temporary}`)
    .replace(/^SelfCheck .*/m, 'SelfCheck 1')
  expect(ours).toContain('SelfCheck 1\n')
  writeFileSync(configuration, `${ours}TCPAddr 127.0.0.1\nTCPSocket ${port}\n`)
  children.push(spawn(findProgram('clamd', 'clamav-daemon'), ['--config-file', configuration], { stdio: 'ignore' }))
  const clamav = createClamav({ host: '127.0.0.1', port, timeout: 10_000, metrics: createMetrics() })
  return (text: string) => clamav.scan(accepted(), whole(Buffer.from(text)))
}

test('what one task fetches, scanners load, and load again when there is something newer', async () => {
  const scanner = volume('scanner')
  expect(await isWell(scanner)).toBe(false)
  const env = await environmentOf(scanner, { SIGNATURES_INTERVAL: '0.2' })
  const follower = spawn(process.execPath, [MAIN, 'follow'], { env, stdio: ['ignore', 'ignore', 'inherit'] })
  children.push(follower)
  // With nothing to have yet it is well, so that clamd may start with the signatures of its image.
  await expect.poll(() => isWell(scanner), { timeout: 10_000 }).toBe(true)

  publish(1, 'one')
  expect(await mirrorRuns('first')).toEqual({ pulled: [], pushed: FILES })
  const there = () => readdirSync(scanner).filter(name => !name.startsWith('.'))
  await expect.poll(there, { timeout: 10_000 }).toEqual(FILES)
  const scan = await startClamd(scanner)
  await expect.poll(() => scan('one-virus-one'), { timeout: 10_000 }).toMatchObject({ signature: 'Test.one' })
  expect(await scan('two-virus-two')).toMatchObject({ kind: 'clean' })

  publish(2, 'one', 'two')
  expect(await mirrorRuns('second')).toEqual({ pulled: FILES, pushed: ['daily.cud'] })
  await expect.poll(() => scan('two-virus-two'), { timeout: 20_000 }).toMatchObject({ signature: 'Test.two' })

  follower.kill('SIGTERM')
  expect((await once(follower, 'exit'))[0]).toBe(0)
}, 60_000)

test('a bucket that does not answer is a failure of one run; who follows it goes on', async () => {
  const path = volume('alone')
  const env = { ...(await environmentOf(path, { SIGNATURES_INTERVAL: '0.2' })), ELEMTA_BUCKET: 'no-such-bucket' }
  const failed = promisify(execFile)(process.execPath, [MAIN, 'push'], { env })
  await expect(failed).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('NoSuchBucket') })
  const follower = spawn(process.execPath, [MAIN, 'follow'], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(follower)
  let told = ''
  follower.stdout!.on('data', text => (told += text))
  await expect.poll(() => told.match(/"event":"signatures-failed"/g)?.length, { timeout: 10_000 }).toBeGreaterThan(1)
  expect(await isWell(path)).toBe(true)
})
