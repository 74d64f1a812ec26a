// Greylisting in the real program: a stranger waits, comes back and is known from then on, also after a restart.
import { expect, test } from 'vitest'
import { startGateway } from './gateway.ts'
import { mail, send } from './mail.ts'
import { startResolver } from './resolver.ts'

test('a stranger is deferred at RCPT, is taken when it comes back, and is known after a restart', async () => {
  await using resolver = await startResolver('sender.example. MX 10 mail.sender.example.')
  const of = (delay: string) => ({ dns: resolver.dns, plugins: [{ name: 'greylist', config: { delay } }] })
  const first = await startGateway({ config: of('1s') })
  const { directory } = first
  const content = mail()
  const deferred = await send(first.port, { content })
  expect(deferred.reply).toMatch(/^45[01] 4\.7\.1 /)
  const early = await send(first.port, { content })
  expect(early.reply).toMatch(/^45[01] 4\.7\.1 /)
  // As any client does: again and again until it is taken.
  let sent = early
  await expect
    .poll(
      async () => {
        sent = await send(first.port, { content })
        return sent.code
      },
      { timeout: 10_000, interval: 200 },
    )
    .toBe(250)
  await first.settled(sent.queueId, 'delivered')
  expect(await first.metric('elemta_greylisting_deferred_total{reason="new"}')).toBe(1)
  expect(await first.metric('elemta_greylisting_deferred_total{reason="early"}')).toBeGreaterThanOrEqual(1)
  expect(await first.metric('elemta_greylisting_passed_total{reason="waited"}')).toBe(1)
  expect(await first.metric('elemta_greylisting_delay_seconds_count')).toBe(1)
  expect((await first.elemta('greylist', 'list')).stdout).toMatch(/alice@sender\.example/)
  expect(await first.stop()).toBe(0)

  await using gateway = await startGateway({ directory, config: of('1h') })
  const known = await send(gateway.port, { content: mail() })
  expect(known.code).toBe(250)
  await gateway.settled(known.queueId, 'delivered')
  expect(await gateway.metric('elemta_greylisting_passed_total{reason="known"}')).toBe(1)
  const stranger = await send(gateway.port, { from: 'eve@sender.example', content: mail() })
  expect(stranger.reply).toMatch(/^45[01] 4\.7\.1 /)
  expect(await gateway.ledger()).toMatchObject({ accepted: 2, delivered: 2, imbalance: 0 })
})
