// Numbers that look random and are the same for the same seed (xorshift32), so that a load can be had again.

export type Random = Readonly<{
  /** From 0 up to 1. */
  fraction(): number
  /** One of these. */
  among<T>(values: readonly T[]): T
}>

export function createRandom(seed: number): Random {
  let state = Math.imul(seed, 0x9e3779b1) | 0 || 1
  const fraction = () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
  return { fraction, among: values => values[Math.floor(fraction() * values.length)]! }
}
