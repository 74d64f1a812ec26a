// A private port for a daemon. Below the range from which the kernel takes ports for outgoing connections (32768 on):
// otherwise a busy gateway's own connections could sit on a daemon's port in the moment in which it starts again.
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

const FIRST = 20_000
const LAST = 32_000

/** A port on 127.0.0.1 that nobody listens on now. Throws when 100 tries find none. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = randomInt(FIRST, LAST)
    if (await isFree(port)) return port
  }
  throw new Error(`no free port between ${FIRST} and ${LAST} on 127.0.0.1`)
}

/** Whether nobody listens on this port of 127.0.0.1 now. */
export async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen({ port, host: '127.0.0.1', exclusive: true })
  try {
    await once(server, 'listening')
  } catch {
    return false
  }
  server.close()
  await once(server, 'close')
  return true
}
