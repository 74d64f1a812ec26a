// rspamd's resolver, the real unbound, with a name server of our own behind it.
import { createSocket, type Socket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startUnbound, systemResolvers, type Unbound, type UnboundOptions } from '../../local/embedded/unbound.ts'
import { silentLog } from '../../src/platform/log.ts'

let dir: string
let upstream: Socket
let asked: number
let answering: boolean
let unbound: Unbound

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'elemta-unbound-'))
  chmodSync(dir, 0o755)
  asked = 0
  answering = true
  upstream = createSocket('udp4').bind(0, '127.0.0.1')
  upstream.on('message', (query, from) => {
    asked++
    if (answering) upstream.send(addressRecord(query), from.port, from.address)
  })
  await once(upstream, 'listening')
})

afterEach(async () => {
  await unbound?.stop()
  upstream.close()
  rmSync(dir, { recursive: true, force: true })
})

async function start(options: Partial<UnboundOptions>): Promise<Resolver> {
  unbound = await startUnbound({ dir, log: silentLog, ...options })
  const resolver = new Resolver({ timeout: 10_000, tries: 1 })
  resolver.setServers([`127.0.0.1:${unbound.port}`])
  return resolver
}

test('it forwards to the servers given', async () => {
  const resolver = await start({ forwardTo: [`127.0.0.1@${upstream.address().port}`] })
  expect(await resolver.resolve4('mx.example.org')).toEqual(['203.0.113.7'])
})

test('once its servers are known to be silent, it answers without asking them', async () => {
  answering = false
  const resolver = await start({ forwardTo: [`127.0.0.1@${upstream.address().port}`] })
  await unbound.warm
  const before = asked
  for (const name of ['a.example.org', 'b.example.net', 'c.example.com']) {
    await expect(resolver.resolve4(name)).rejects.toMatchObject({ code: 'ESERVFAIL' })
  }
  expect(asked).toBe(before)
})

test('with zones, they are all there is', async () => {
  const zones = `  local-zone: "good.test." static\n  local-data: "good.test. 60 IN A 203.0.113.10"`
  const resolver = await start({ zones, forwardTo: [`127.0.0.1@${upstream.address().port}`] })
  expect(await resolver.resolve4('good.test')).toEqual(['203.0.113.10'])
  await expect(resolver.resolve4('mx.example.org')).rejects.toMatchObject({ code: 'ENOTFOUND' })
  expect(asked).toBe(0)
})

test('the system’s servers are read from resolv.conf', () => {
  const file = join(dir, 'resolv.conf')
  writeFileSync(
    file,
    '# comment\nsearch example.org\nnameserver 192.0.2.53\nnameserver 2001:db8::53\nnameserver fe80::1%eth0\n',
  )
  expect(systemResolvers(file)).toEqual(['192.0.2.53', '2001:db8::53'])
  expect(systemResolvers(join(dir, 'missing'))).toEqual([])
})

/** The reply to `query` that gives the name the address 203.0.113.7 (RFC 1035 §4.1). */
function addressRecord(query: Buffer): Buffer {
  const question = query.subarray(12, query.indexOf(0, 12) + 5)
  const header = Buffer.from([query[0]!, query[1]!, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0])
  const answer = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, 7])
  return Buffer.concat([header, question, answer])
}
