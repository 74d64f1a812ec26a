// A relay of ours in front, which names the client that it speaks for: swaks by XCLIENT, a real Postfix by XFORWARD.
// Strangers can name nobody.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { greeted } from '../ingress/dialogue.ts'
import { swaks } from './client-program.ts'
import { type Gateway, startGateway } from './gateway.ts'
import { mail, readMail, sendOn } from './mail.ts'
import { startPostfix } from './postfix.ts'

const STRANGER = '127.0.0.2'

let gateway: Gateway

beforeAll(async () => {
  gateway = await startGateway({
    config: {
      ingress: { xclient: ['127.0.0.1/32'] },
      relay: { domains: ['example.com'], networks: ['198.51.100.0/24'] },
      plugins: [{ name: 'helo', config: { full_name: true } }],
    },
  })
})

afterAll(() => gateway?.[Symbol.asyncDispose]())

const relayed = (to: string, ...args: string[]) =>
  swaks('--server', `127.0.0.1:${gateway.port}`, '--from', 'carol@sender.example', '--to', to, ...args)

test('the named client is who the message is from: in the record, the log and Received', async () => {
  const named = ['--xclient-addr', '203.0.113.9', '--xclient-port', '4321', '--xclient-name', 'mx.sender.example']
  const { said } = await relayed('bob@example.com', ...named, '--helo', 'mx.sender.example', '--tls')
  const queueId = /queued as (\w{20})/.exec(said)?.[1] ?? said
  const { message } = await gateway.settled(queueId, 'delivered')
  expect(message.client).toMatchObject({ address: '203.0.113.9', port: 4321, tls: expect.stringMatching(/^TLS/) })
  const delivered = (await gateway.maildir()).map(readMail).find(({ header }) => header.includes(queueId))
  expect(delivered?.field('Received')[0]).toContain('from mx.sender.example ([203.0.113.9])')
  await gateway.log(line => line.event === 'accepted' && line.queueId === queueId && line.client === '203.0.113.9')
})

test('policies and relay control decide for the named client, and for the next one that is named', async () => {
  const client = await greeted(gateway.port)
  const attempt = async (address: string, helo: string) => {
    expect(await client.say(`XCLIENT ADDR=${address}`)).toMatch(/^220 mx\.example\.com /)
    await client.say(`EHLO ${helo}`)
    const { reply } = await sendOn(client, { to: 'bob@elsewhere.example', content: mail() })
    await client.say('RSET')
    return reply
  }
  expect(await attempt('203.0.113.9', 'mx.sender.example')).toMatch(/^550 5\.7\.1 .*Relay/)
  expect(await attempt('203.0.113.9', 'nonsense')).toMatch(/^550 5\.7\.1 HELO/)
  expect(await attempt('198.51.100.9', 'nonsense')).toMatch(/^250 2\.0\.0 /) // of relay.networks
  expect(await attempt('203.0.113.9', 'mx.sender.example')).toMatch(/^550 5\.7\.1 .*Relay/)
  client.hangUp()
})

test('a stranger is offered neither, and allowed neither', async () => {
  const client = await greeted(gateway.port, { from: STRANGER })
  expect(await client.say('EHLO mx.sender.example')).not.toMatch(/XCLIENT|XFORWARD/)
  expect(await client.say('XCLIENT ADDR=198.51.100.9 LOGIN=alice')).toMatch(/^500 5\.5\.2 /)
  expect(await client.say('XFORWARD ADDR=198.51.100.9')).toMatch(/^500 5\.5\.2 /)
  expect((await sendOn(client, { to: 'bob@elsewhere.example', content: mail() })).reply).toMatch(/^550 5\.7\.1 /)
  client.hangUp()
  await gateway.log(({ event, client }) => event === 'rejected' && client === STRANGER)
})

test('what Postfix forwards about its client is in the log of that message, and decides nothing', async () => {
  await using postfix = await startPostfix(gateway.port, {
    smtp_send_xforward_command: 'yes',
    smtpd_authorized_xclient_hosts: '127.0.0.1',
    mynetworks: '198.51.100.0/24',
  })
  const client = await greeted(postfix.port)
  await client.say('XCLIENT ADDR=198.51.100.77 NAME=phone.example')
  await client.say('EHLO phone.example')
  await sendOn(client, { from: 'carol@example.com', content: mail() })
  client.hangUp()
  const [[, queueId] = []] = await postfix.logged(/status=sent \(250 2\.0\.0 Ok: queued as (\w{20})\)/g)
  expect(await gateway.log(line => line.event === 'accepted' && line.queueId === queueId)).toMatchObject({
    client: '127.0.0.1',
    helo: 'mta.sender.example',
    forwarded: { address: '198.51.100.77', name: 'phone.example', helo: 'phone.example', protocol: 'ESMTP' },
  })
})

test('forwarded facts hold for one message', async () => {
  const client = await greeted(gateway.port)
  await client.say('XFORWARD ADDR=198.51.100.77 SOURCE=REMOTE')
  const forwarded = async () => {
    const { queueId } = await sendOn(client, { content: mail() })
    return (await gateway.log(line => line.event === 'accepted' && line.queueId === queueId)).forwarded
  }
  expect(await forwarded()).toEqual({ address: '198.51.100.77', source: 'REMOTE' })
  expect(await forwarded()).toBeUndefined()
  client.hangUp()
})
