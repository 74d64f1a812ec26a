// The next hop of all servers: Debian's smtp-sink, which takes every message, throws it away and keeps a tally.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, start, temporaryDirectory, untilAnswering } from './program.ts'

export type Sink = Readonly<{
  port: number
  pid: number
  /** Messages taken so far. */
  received(): number
  /** Resolves when this many have been taken; throws when none came for `patience` seconds. */
  until(messages: number, patience?: number): Promise<void>
  stop(): Promise<void>
}>

export async function startSink(directory: string): Promise<Sink> {
  const port = await freePort()
  const tally = join(temporaryDirectory(directory), 'tally')
  // Run as the user it is started by: -u is needed only when that is root.
  const user = process.getuid?.() === 0 ? ['-u', 'postfix'] : []
  const program = start('smtp-sink', 'smtp-sink', [...user, '-4', '-c', '-m', '2000', `127.0.0.1:${port}`, '1000'], {
    log: tally,
  })
  await untilAnswering(port, { greeting: '220', log: tally })
  const received = () => lastTally(tally)
  return {
    port,
    pid: program.pid,
    received,
    async until(messages, patience = 20) {
      let seen = received()
      let since = performance.now()
      while (seen < messages) {
        await new Promise(resolve => setTimeout(resolve, 5))
        const now = received()
        if (now > seen) since = performance.now()
        else if (performance.now() - since > patience * 1000)
          throw new Error(`the sink has ${now} of ${messages} messages and gets no more`)
        seen = now
      }
    },
    stop: program.stop,
  }
}

/** smtp-sink writes "sess=S quit=Q mesg=M", a carriage return after each. */
function lastTally(file: string): number {
  const descriptor = openSync(file, 'r')
  try {
    const { size } = fstatSync(descriptor)
    const tail = Buffer.alloc(Math.min(size, 200))
    readSync(descriptor, tail, 0, tail.length, size - tail.length)
    const last = [...tail.toString('latin1').matchAll(/mesg=(\d+)\s/g)].at(-1)
    return last ? Number(last[1]) : 0
  } finally {
    closeSync(descriptor)
  }
}
