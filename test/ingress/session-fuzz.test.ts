// A fuzz run of the session over real sockets: plausible and random octets in random states, on all modes, with TLS.
// FUZZ_SECONDS makes it longer, FUZZ_SEED makes a run again; the seed is printed.
import { expect, test } from 'vitest'
import { environment } from '../../src/platform/environment.ts'
import { greeted } from './dialogue.ts'
import { startModes } from './modes.ts'
import { play, randomFrom, type Script, scriptFrom } from './session-fuzz.ts'

const SECONDS = Number(environment.FUZZ_SECONDS ?? 4)
const SEED = Number(environment.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 32))
const AT_ONCE = 20
const REPLIES = /^(?:(?:[2345]\d\d-[ -~]*\r\n)*[2345]\d\d [ -~]*\r\n)*/

test(`whatever clients say, replies are well formed and tell the truth`, {
  timeout: SECONDS * 2000 + 30_000,
}, async () => {
  console.info(`FUZZ_SEED=${SEED} FUZZ_SECONDS=${SECONDS}`)
  const random = randomFrom(SEED)
  const gateway = await startModes({
    limits: { messageSize: 50_000, softErrors: 1e9, timeouts: { handshake: 500, linger: 500 } },
  })
  const { forget, accepted, metric, openDrafts } = gateway
  const end = performance.now() + SECONDS * 1000
  const before = process.memoryUsage().rss
  let messages = 0
  for (let round = 0; performance.now() < end; round++) {
    const bystander = await greeted(gateway.mx)
    const scripts = Array.from({ length: AT_ONCE }, () => scriptFrom(random))
    const queued: string[] = []
    const playing = scripts.map(async script => queued.push(...(await judged(script, gateway[script.mode]))))
    await Promise.all(playing)
    expect(await bystander.say('NOOP')).toBe('250 2.0.0 Ok')
    bystander.hangUp()
    const stored = accepted().map(({ message }) => message.queueId)
    expect(new Set(queued).size, `round ${round}: a queue id was given twice`).toBe(queued.length)
    expect(stored, `round ${round}: 250 for what is not stored`).toEqual(expect.arrayContaining(queued))
    for (const { content } of accepted()) expect(content.toString('latin1')).not.toMatch(/(?<!\r)\n|\r(?!\n)|\0/)
    messages += queued.length
    forget()
  }
  await expect.poll(() => metric('elemta_connections_active')).toBe(0)
  expect(openDrafts()).toBe(0)
  expect(messages).toBeGreaterThan(0)
  expect(process.memoryUsage().rss - before).toBeLessThan(300_000_000)
})

/** The queue ids of the messages that this client was told are queued. */
async function judged(script: Script, port: number): Promise<string[]> {
  const { output, cut } = await play(script, port)
  const about = `FUZZ_SEED=${SEED}, ${JSON.stringify(script)} → ${JSON.stringify(output)}`
  const ids: string[] = []
  for (const text of output) {
    const replies = REPLIES.exec(text)?.[0] ?? ''
    const rest = text.slice(replies.length)
    if (cut) expect(rest, about).toMatch(/^[ -~\r]*$/)
    else expect(rest, about).toBe('')
    const finals = replies.match(/^250 2\.0\.0 Ok: queued as \w{20}(?=\r$)/gm) ?? []
    expect(finals.length, about).toBeLessThanOrEqual(replies.match(/^354 /gm)?.length ?? 0)
    expect(replies, about).not.toMatch(/^(?:221|421) .*\r\n(?=.)/m)
    ids.push(...finals.map(line => line.slice(-20)))
  }
  return ids
}
