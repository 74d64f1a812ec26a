// Port: what session policies remember about clients between sessions (greylist triplets, failed logins), shared by
// all ingresses of a deployment. Small values under a key that each expire; nothing in it is worth a sync, and losing
// it costs a delay, never mail. Adapters: policy-store-sqlite. Every adapter passes test/contract/policy-store.ts.

export type PolicyValue = Readonly<Record<string, string | number | boolean>>

export type PolicyEntry = Readonly<{
  key: string
  value: PolicyValue
  /** Milliseconds since 1970; from then on the entry is as if it were not there. */
  expiresAt: number
}>

export interface PolicyStore {
  get(space: string, key: string, now: number): Promise<PolicyEntry | undefined>
  /**
   * Reads, changes and writes as one, also between processes. `change` is pure (it is called again when somebody else
   * was quicker) and returns what is to stand there, or undefined to leave it as it is. Resolves with what then stands.
   */
  update(
    space: string,
    key: string,
    now: number,
    change: (current: PolicyEntry | undefined) => Omit<PolicyEntry, 'key'> | undefined,
  ): Promise<PolicyEntry | undefined>
  /** False when there was none. */
  remove(space: string, key: string): Promise<boolean>
  /** In the order of their keys, those that begin with `prefix`, after the key `after`; at most `limit`. */
  list(
    space: string,
    query: Readonly<{ prefix?: string; after?: string; limit: number }>,
    now: number,
  ): Promise<PolicyEntry[]>
  count(space: string, now: number): Promise<number>
  /** Removes at most `max` expired entries of a space and returns their values. */
  expire(space: string, now: number, max: number): Promise<PolicyValue[]>
  close(): Promise<void>
}
