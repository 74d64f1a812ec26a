// Signatures that an operator lets pass for a time, because they find what is not there. Kept in the policy store, so
// that a command can change them while a gateway runs.
import type { PolicyStore } from '../storage/policy-store.ts'

/** Of the policy store. */
export const IGNORED_SIGNATURES = 'clamav.ignore'
const PAGE = 500

export type IgnoredSignature = Readonly<{ signature: string; by: string; since: number; until: number }>

/** As ClamAV writes names: no white space, nothing beyond ASCII. */
export function isSignatureName(text: string): boolean {
  return /^[!-~]{1,200}$/.test(text)
}

/** `now` and `until` in milliseconds since 1970. */
export async function ignoreSignature(
  store: PolicyStore,
  signature: string,
  { by, now, until }: Readonly<{ by: string; now: number; until: number }>,
): Promise<void> {
  await store.update(IGNORED_SIGNATURES, signature, now, () => ({ value: { by, since: now }, expiresAt: until }))
}

/** False when it was not ignored. */
export function unignoreSignature(store: PolicyStore, signature: string): Promise<boolean> {
  return store.remove(IGNORED_SIGNATURES, signature)
}

export async function isIgnored(store: Pick<PolicyStore, 'get'>, signature: string, now: number): Promise<boolean> {
  return (await store.get(IGNORED_SIGNATURES, signature, now)) !== undefined
}

export async function ignoredSignatures(store: PolicyStore, now: number): Promise<IgnoredSignature[]> {
  const entries = await store.list(IGNORED_SIGNATURES, { limit: PAGE }, now)
  return entries.map(({ key, value, expiresAt }) => {
    return { signature: key, by: String(value.by), since: Number(value.since), until: expiresAt }
  })
}
