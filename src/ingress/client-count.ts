// Counts connections per client, so that one cannot take them all. An IPv6 client is its /64, since it owns that.
import { clientKey } from '../mail/client-network.ts'

export type ClientCount = Readonly<{
  /** False when the client has `most` connections already; true counts one more, to be given back by `leave`. */
  enter(address: string, most: number): boolean
  leave(address: string): void
}>

export function createClientCount(): ClientCount {
  const counts = new Map<string, number>()
  return {
    enter(address, most) {
      const key = clientKey(address)
      const count = counts.get(key) ?? 0
      if (count >= most) return false
      counts.set(key, count + 1)
      return true
    },
    leave(address) {
      const key = clientKey(address)
      const count = (counts.get(key) ?? 1) - 1
      if (count > 0) counts.set(key, count)
      else counts.delete(key)
    },
  }
}
