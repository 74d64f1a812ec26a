// Opens the TCP connection to a next hop, from our address of choice. A name with several addresses is tried through.
import { connect as connectSocket, isIP, type Socket } from 'node:net'
import { describeNetworkError } from './network-error.ts'
import type { NextHop } from './next-hop.ts'
import { NextHopError, seconds } from './smtp-connection.ts'

/** Connects within `timeout` milliseconds. Rejects with NextHopError, or with the signal's reason. */
export function openSocket(
  { host, port, source }: NextHop,
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    // A name may have several addresses; each but the last gets a part of the time (RFC 8305).
    const attemptTimeout = Math.max(10, Math.floor(timeout / 3))
    const socket = connectSocket({
      host,
      port,
      noDelay: true,
      autoSelectFamilyAttemptTimeout: attemptTimeout,
      // Only addresses of its own family can be reached from there.
      ...(source === undefined ? {} : { localAddress: source, family: isIP(source) }),
    })
    const timer = setTimeout(end, timeout, new NextHopError(`no connection within ${seconds(timeout)}`, 'connection'))
    const onAbort = () => end(signal?.reason)
    const onError = (error: Error) => end(new NextHopError(describeNetworkError(error), 'connection'))
    signal?.addEventListener('abort', onAbort)
    socket.on('error', onError)
    socket.on('connect', () => end())

    function end(error?: Error) {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      if (error === undefined) {
        // The caller listens before anything else can happen: promises are settled first.
        socket.off('error', onError)
        resolve(socket)
      } else {
        socket.destroy()
        reject(error)
      }
    }
  })
}
