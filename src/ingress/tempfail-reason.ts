// Why a message was not taken for now, as it is counted: what is our own fault apart from what is meant so. Pure.
import { tryAgainLater } from '../mail/reply.ts'
import type { Ending } from './accept.ts'

/** For an ending with a 4yz reply. Storage, room and other are our doing, policy and scan are decisions. */
export function tempfailReason({ reply, plugin, why }: Ending): 'storage' | 'room' | 'policy' | 'scan' | 'other' {
  // RFC 3463 X.3.1: the disk, or a quota, is full.
  if (reply.enhancedCode === '4.3.1') return 'room'
  // A plugin that fails, or takes too long, has decided nothing.
  if (plugin !== undefined) return reply === tryAgainLater ? 'other' : 'policy'
  // The scan while the client waits says why; storing that fails tells only the log.
  return why === undefined ? 'storage' : 'scan'
}
