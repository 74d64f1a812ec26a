// The story of a gateway under all kinds of abuse at once, while honest clients go on sending: they are all served, what
// was accepted is all there, and the program neither ends nor grows. How fast it stays is the benchmark's business.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { KINDS, TARGET } from '../bench/abuse-kinds.ts'
import { flood, LOAD_BALANCER } from '../bench/flood.ts'
import { HONEST_RECIPIENT, sendHonestly } from '../bench/honest.ts'
import { residentBytes } from '../bench/machine.ts'
import { startGateway, temporaryDirectory } from './gateway.ts'

const SECONDS = 5
const RATE = 60
/** Of a gateway that has just started some 110 MB; a leak of one kind of abuse alone would be beyond it. */
const MOST_RESIDENT = 400e6

const SETTLED = { imbalance: 0, queued: { incoming: 0, active: 0, deferred: 0, deadLetters: 0 } }

test('honest clients are served in the middle of a flood of abuse', async () => {
  const directory = await temporaryDirectory()
  const users = join(directory, 'users')
  await writeFile(users, '', { mode: 0o600 })
  await using gateway = await startGateway({
    directory,
    config: {
      listeners: ['mx', 'submission', 'submissions'].map(mode => ({ address: '127.0.0.1', port: 0, mode })),
      auth: { users_file: users },
      relay: { domains: ['example.test'], networks: [] },
      limits: { message_size: '2MB' },
      ingress: { proxy_protocol: [LOAD_BALANCER] },
      plugins: [{ name: 'recipients', config: { addresses: [TARGET, HONEST_RECIPIENT] } }],
    },
  })
  const [mx, submission, submissions] = gateway.ports

  const [honest, abuse] = await Promise.all([
    sendHonestly(mx!, 3, SECONDS),
    flood({ mx: mx!, submission: submission!, submissions: submissions! }, RATE, SECONDS),
  ])

  expect(abuse.connections).toBeGreaterThan(5 * KINDS.length)
  expect(abuse.failed).toBe(0)
  expect(honest.again).toEqual([])
  expect(honest.accepted.length).toBeGreaterThan(3)
  expect(residentBytes([gateway.pid])).toBeLessThan(MOST_RESIDENT)
  await expect.poll(gateway.ledger, { timeout: 10_000 }).toMatchObject(SETTLED)
  const delivered = (await gateway.maildir()).map(content => /^Subject: (honest .*)\r?$/m.exec(String(content))?.[1])
  expect(delivered.filter(subject => subject !== undefined).sort()).toEqual([...honest.accepted].sort())
  expect(gateway.logged('session-failed')).toEqual([])
})
