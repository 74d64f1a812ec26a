// A TCP relay between two parts of a stack, on a port of its own: it can keep what the far end says back for a while,
// and it can be closed, as if nobody were there, and opened again.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

export type Relay = Readonly<{
  port: number
  /** Answers come so many milliseconds later from now on. */
  delay(milliseconds: number): void
  /** Connections are refused, and those that are open are cut. */
  close(): Promise<void>
  open(): Promise<void>
}>

export async function startRelay(to: Readonly<{ host: string; port: number }>): Promise<Relay> {
  let milliseconds = 0
  let server: Server | undefined
  const sockets = new Set<Socket>()

  function take(near: Socket): void {
    const far = connect(to)
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    }
    near.pipe(far)
    near.on('close', () => far.destroy())
    // In order: what came before is not overtaken when the delay has become shorter.
    let last = Promise.resolve()
    const later = (act: () => void) => {
      const wait = milliseconds
      const due = wait === 0 ? undefined : new Promise(resolve => setTimeout(resolve, wait).unref())
      last = last.then(() => due).then(act)
    }
    far.on('data', octets => later(() => near.write(octets)))
    far.on('close', () => later(() => near.destroy()))
  }

  async function open(port: number): Promise<Server> {
    const opened = createServer({ noDelay: true }, take).listen(port, '127.0.0.1')
    await once(opened, 'listening')
    return opened
  }

  server = await open(0)
  const { port } = server.address() as AddressInfo
  return {
    port,
    delay(wait) {
      milliseconds = wait
    },
    async close() {
      const closing = server
      server = undefined
      if (closing === undefined) return
      closing.close()
      for (const socket of sockets) socket.destroy()
      await once(closing, 'close')
    },
    async open() {
      server ??= await open(port)
    },
  }
}
