// Postfix, the MTA that most mail comes from, as our client: encryption when it is offered, many messages over few
// connections, patience with a 4yz, a bounce after a 5yz, and a login as a smarthost's customer.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { greeted } from '../ingress/dialogue.ts'
import { type Gateway, startGateway, temporaryDirectory, writeConfig } from './gateway.ts'
import { mail, readMail, send, sendOn } from './mail.ts'
import { startPostfix } from './postfix.ts'
import { addUser } from './users.ts'

// Each story starts two programs and waits for both: on a busy machine it is to fail with Postfix's log, not before.
vi.setConfig({ testTimeout: 60_000 })

const SENT = /status=sent \(250 2\.0\.0 Ok: queued as (\w{20})\)/g

const settled = async (gateway: Gateway, queueId: string) => {
  await gateway.settled(queueId, 'delivered')
  return (await gateway.maildir()).map(readMail)
}

test('opportunistic TLS: the message comes over it, and Received says so', async () => {
  await using gateway = await startGateway()
  await using postfix = await startPostfix(gateway.port)
  await send(postfix.port, { content: mail() })
  const [[, queueId] = []] = await postfix.logged(SENT)
  expect(postfix.log()).toMatch(/TLS connection established to 127\.0\.0\.1\[127\.0\.0\.1\]:\d+: TLSv1\.3 with cipher/)
  const [delivered] = await settled(gateway, queueId!)
  expect(delivered?.field('Received')[0]).toMatch(
    new RegExp(
      `^from mta\\.sender\\.example \\(\\[127\\.0\\.0\\.1\\]\\)\\s+\\(using TLSv1\\.3 with cipher TLS_[A-Z0-9_]+\\)\\s+by mx\\.example\\.com with ESMTPS id ${queueId}\\s`,
    ),
  )
  expect(await gateway.metric('elemta_tls_connections_total{version="TLSv1.3"}')).toBe(1)
})

test('a hundred messages come once each, over few encrypted connections', async () => {
  await using gateway = await startGateway()
  await using postfix = await startPostfix(gateway.port, {
    default_destination_concurrency_limit: '4',
    smtp_tls_connection_reuse: 'yes',
    smtp_connection_cache_destinations: '127.0.0.1',
  })
  const client = await greeted(postfix.port)
  const numbers = Array.from({ length: 100 }, (_, n) => `${n}`)
  for (const n of numbers) await sendOn(client, { content: mail({ header: [`X-Number: ${n}`] }) })
  client.hangUp()
  for (const [, queueId] of await postfix.logged(SENT, numbers.length)) await gateway.settled(queueId!, 'delivered')
  const came = (await gateway.maildir()).map(octets => readMail(octets).field('X-Number')[0]!)
  expect(came.sort()).toEqual(numbers.sort())
  expect(await gateway.metric('elemta_connections_total')).toBeLessThanOrEqual(10)
})

test('what greylisting defers comes back by itself, and is delivered once', async () => {
  await using gateway = await startGateway({
    config: { plugins: [{ name: 'greylist', config: { delay: '1s' } }] },
  })
  await using postfix = await startPostfix(gateway.port)
  await send(postfix.port, { content: mail() })
  await postfix.logged(/status=deferred \(host 127\.0\.0\.1\[127\.0\.0\.1\] said: 45\d 4\.\d\.\d /g)
  const [[, queueId] = []] = await postfix.logged(SENT)
  expect(await settled(gateway, queueId!)).toHaveLength(1)
  expect(await gateway.metric('elemta_greylisting_passed_total{reason="waited"}')).toBe(1)
})

test('what we refuse bounces: the sender is told by Postfix, in our words', async () => {
  await using gateway = await startGateway({
    config: { plugins: [{ name: 'recipients', config: { addresses: ['alice@example.com'] } }] },
  })
  await using postfix = await startPostfix(gateway.port)
  await send(postfix.port, { from: 'alice@example.com', to: 'nobody@example.com', content: mail() })
  const [[, queueId] = []] = await postfix.logged(SENT)
  expect(postfix.log()).toMatch(/status=bounced \(host \S+ said: 550 5\.1\.1 <nobody@example\.com>/)
  expect(await gateway.record(queueId!)).toMatchObject({ message: { envelope: { reversePath: '' } } })
  const [report] = await settled(gateway, queueId!)
  expect(report?.field('Return-Path')).toEqual(['<>'])
  expect(report?.body.toString()).toMatch(/Final-Recipient: rfc822; nobody@example\.com[\s\S]*Status: 5\.1\.1/)
})

test.each(['PLAIN', 'LOGIN'])('logs in by AUTH %s where we are its smarthost', async mechanism => {
  const directory = await temporaryDirectory()
  const config = {
    listeners: [{ address: '127.0.0.1', port: 0, mode: 'submission' }],
    auth: { users_file: join(directory, 'users') },
  }
  await addUser({ configFile: await writeConfig(directory, config) }, 'relay', 'a word')
  await using gateway = await startGateway({ directory, config })
  await writeFile(join(directory, 'sasl'), `[127.0.0.1]:${gateway.port} relay:a word\n`)
  await using postfix = await startPostfix(gateway.port, {
    smtp_tls_security_level: 'encrypt',
    smtp_sasl_auth_enable: 'yes',
    smtp_sasl_mechanism_filter: mechanism.toLowerCase(),
    smtp_sasl_tls_security_options: 'noanonymous',
    smtp_sasl_password_maps: `texthash:${join(directory, 'sasl')}`,
  })
  await send(postfix.port, { to: 'bob@elsewhere.example', content: mail() })
  const [[, queueId] = []] = await postfix.logged(SENT)
  const [delivered] = await settled(gateway, queueId!)
  expect(delivered?.field('Received')[0]).toMatch(/ with ESMTPSA id /)
  expect(await gateway.record(queueId!)).toMatchObject({ message: { client: { user: 'relay' } } })
})
