// Answers for one transaction: a question that costs look-ups is asked once, not for each recipient.
// It forgets the oldest when it is full; a question that failed is asked again.

const TRANSACTIONS = 1000

export type Memory<T> = (queueId: string, ask: () => Promise<T>) => Promise<T>

export function createMemory<T>(size = TRANSACTIONS): Memory<T> {
  const answers = new Map<string, Promise<T>>()
  return (queueId, ask) => {
    const known = answers.get(queueId)
    if (known !== undefined) return known
    const asked = ask()
    answers.set(queueId, asked)
    asked.catch(() => answers.delete(queueId))
    for (const oldest of answers.keys()) {
      if (answers.size <= size) break
      answers.delete(oldest)
    }
    return asked
  }
}
