// Deliveries counted by route: each configured route from the start, also one that a reload brings, and the delay of
// first attempts.
import { expect, onTestFinished, test } from 'vitest'
import { type Script, startNextHop } from '../deliver/next-hop.ts'
import { startGateway, writeConfig } from './gateway.ts'
import { mail, send } from './mail.ts'

async function urlOf(script: Script): Promise<string> {
  const hop = await startNextHop(script)
  onTestFinished(() => hop.close())
  return hop.url
}

test('attempts, successes, failures, retries and reasons go by the route of the recipient', async () => {
  const good = await urlOf({})
  const slow = await urlOf({ rcpt: '450 4.2.0 Later' })
  const routes = [
    { domains: ['example.com', '*.example.com'], to: good },
    { domains: ['example.org'], to: slow },
    { domains: ['idle.example'], to: good },
    { domains: ['*'], to: good },
  ]
  const config = {
    relay: { domains: ['example.com', 'example.org', 'sub.example.com', 'elsewhere.example'], networks: [] },
    routes,
    delivery: { retry_schedule: ['100ms', '1h'], dsn: { enabled: false } },
  }
  await using gateway = await startGateway({ config })
  const to = ['example.com', 'sub.example.com', 'example.org', 'elsewhere.example'].map(domain => `bob@${domain}`)
  const { queueId } = await send(gateway.port, { to, content: mail() })
  await gateway.log(({ event, attempt, ...line }) => event === 'deferred' && attempt === 2 && line.queueId === queueId)
  await gateway.settled(queueId, 'delivered', 'deferred')

  const read = (name: string, labels: string) => gateway.metric(`elemta_delivery_${name}{${labels}}`)
  const counts = async (route: string) =>
    await Promise.all([
      ...['attempts_total', 'successes_total', 'retries_total'].map(name => read(name, `route="${route}"`)),
      read('failures_total', `route="${route}",kind="deferred"`),
      read('failures_total', `route="${route}",kind="failed"`),
      read('failure_reasons_total', `route="${route}",reason="message"`),
      read('duration_seconds_count', `route="${route}"`),
    ])
  expect(await counts('example.com')).toEqual([2, 2, 0, 0, 0, 0, 2])
  expect(await counts('example.org')).toEqual([2, 0, 1, 2, 0, 2, 2])
  expect(await counts('idle.example')).toEqual([0, 0, 0, 0, 0, 0, 0])
  expect(await counts('default')).toEqual([1, 1, 0, 0, 0, 0, 1])
  expect(await read('failure_reasons_total', 'route="idle.example",reason="dns"')).toBe(0)
  expect(await gateway.metric('elemta_delivery_first_attempt_delay_seconds_count')).toBe(4)
  expect(await gateway.metric('elemta_delivery_first_attempt_delay_seconds_bucket{le="60"}')).toBe(4)
  expect(await counts('later.example')).toEqual(Array(7).fill(Number.NaN))

  await writeConfig(gateway.directory, { ...config, routes: [...routes, { domains: ['later.example'], to: good }] })
  process.kill(gateway.pid, 'SIGHUP')
  await gateway.log(({ event }) => event === 'reloaded')
  expect(await counts('later.example')).toEqual([0, 0, 0, 0, 0, 0, 0])
})
