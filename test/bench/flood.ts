// A flood of abuse: so many connections a second, one kind after the other, each from an address of its own, so that no
// limit per client helps. As a program: `node test/bench/flood.ts PORTS-AS-JSON RATE SECONDS`, which prints the result.
import { setTimeout as sleep } from 'node:timers/promises'
import { KINDS, type Kind } from './abuse-kinds.ts'
import { startTalk, type Talk } from './talk.ts'

export type Ports = Readonly<Record<'mx' | 'submission' | 'submissions', number>>
/** Connections made, those that could not be had, and the most that were open at once. */
export type Flood = Readonly<{ connections: number; failed: number; mostOpen: number }>

/** Where connections begin with a PROXY header; all others come from 127.64.0.0/12. */
export const LOAD_BALANCER = '127.9.9.9'
const TICK = 10

/** Resolves when the time is over and the last connection closed; those that still hold theirs are cut. */
export async function flood(ports: Ports, rate: number, seconds: number): Promise<Flood> {
  const open = new Set<Talk>()
  const running = new Set<Promise<unknown>>()
  let [connections, failed, mostOpen] = [0, 0, 0]

  async function attack({ at, attack }: Kind, number: number): Promise<void> {
    const proxied = at === 'proxied'
    const talk = await startTalk(ports[proxied ? 'mx' : at], proxied ? LOAD_BALANCER : addressOf(number)).catch(() => {
      failed++
    })
    if (talk === undefined) return
    open.add(talk)
    mostOpen = Math.max(mostOpen, open.size)
    await attack(talk)
    talk.close()
    open.delete(talk)
  }

  const startedAt = performance.now()
  for (let passed = 0; passed < seconds; passed = (performance.now() - startedAt) / 1000) {
    while (connections < passed * rate) {
      const number = connections++
      const one = attack(KINDS[number % KINDS.length]!, number).finally(() => running.delete(one))
      running.add(one)
    }
    await sleep(TICK)
  }
  for (const talk of open) talk.close()
  await Promise.all(running)
  return { connections, failed, mostOpen }
}

function addressOf(number: number): string {
  return `127.${64 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`
}

if (process.argv[1] === import.meta.filename) {
  const [ports, rate, seconds] = process.argv.slice(2) as [string, string, string]
  process.stdout.write(`${JSON.stringify(await flood(JSON.parse(ports), Number(rate), Number(seconds)))}\n`)
  process.exit()
}
