// Does the daemon at this address answer? A probe says yes or no within its time and never throws.
import { Resolver } from 'node:dns/promises'
import { connect } from 'node:net'

const PATIENCE = 2_000 // ms

/** clamd: PING is answered by PONG once the signatures are loaded. */
export async function clamdAnswers(host: string, port: number): Promise<boolean> {
  return (await exchange(host, port, 'nPING\n', 'PONG')).includes('PONG')
}

/** rspamd: every worker answers GET /ping with pong, its controller too. */
export async function rspamdAnswers(host: string, port: number): Promise<boolean> {
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}/ping`
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE), redirect: 'error' })
    return response.ok && (await response.text()).trim() === 'pong'
  } catch {
    return false
  }
}

/** redis: answers PING with PONG once its data is loaded (before: -LOADING). */
export async function redisAnswers(port: number, password: string): Promise<boolean> {
  const reply = await exchange('127.0.0.1', port, `AUTH ${password}\r\nPING\r\n`, 'PONG')
  return reply.includes('+PONG')
}

/** A resolver: any reply will do, also that the name does not exist or that its own servers are silent. */
export async function resolverAnswers(port: number): Promise<boolean> {
  const resolver = new Resolver({ timeout: PATIENCE, tries: 1 })
  resolver.setServers([`127.0.0.1:${port}`])
  try {
    await resolver.resolve4('localhost')
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return code === 'ENOTFOUND' || code === 'ENODATA' || code === 'ESERVFAIL' || code === 'EREFUSED'
  }
}

/** What is answered to `request` until `last` has come, the connection ends or patience does. */
function exchange(host: string, port: number, request: string, last: string): Promise<string> {
  return new Promise(resolve => {
    let reply = ''
    const socket = connect({ host, port, timeout: PATIENCE })
    const deadline = setTimeout(() => socket.destroy(), PATIENCE)
    socket.setEncoding('latin1')
    socket.on('connect', () => socket.write(request))
    socket.on('data', data => {
      reply += data
      if (reply.includes(last) || reply.length > 4096) socket.destroy()
    })
    socket.on('error', () => socket.destroy())
    socket.on('end', () => socket.destroy())
    socket.on('close', () => {
      clearTimeout(deadline)
      resolve(reply)
    })
  })
}
