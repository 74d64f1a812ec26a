// Answers from elsewhere (DNS, HTTP, a next hop), remembered for a while and asked for once: whoever wants the same
// answer meanwhile waits for the same question. Bounded: the least recently used answers go first, and with too many
// questions under way the next one is not asked at all. A question that rejects is remembered by nobody.

export type AnswerCacheOptions<T> = Readonly<{
  ask(key: string): Promise<T>
  /** Milliseconds that an answer is believed; 0: it is not remembered. */
  lifetime(answer: T): number
  /** Instead of an answer, when `mostQuestions` are under way. */
  tooMany(): T
  mostAnswers?: number
  mostQuestions?: number
  /** Milliseconds since 1970. */
  now: () => number
}>

/** A function that answers from memory, or asks. */
export function createAnswerCache<T>(options: AnswerCacheOptions<T>): (key: string) => Promise<T> {
  const { ask, lifetime, tooMany, mostAnswers = 50_000, mostQuestions = 200, now } = options
  /** Used last stands last. */
  const answers = new Map<string, Readonly<{ answer: T; since: number; believed: number }>>()
  const questions = new Map<string, Promise<T>>()

  function recall(key: string): T | undefined {
    const known = answers.get(key)
    if (known === undefined) return undefined
    answers.delete(key)
    // A clock that was put back must not prolong a belief.
    if (Math.abs(now() - known.since) >= known.believed) return undefined
    answers.set(key, known)
    return known.answer
  }

  async function learn(key: string): Promise<T> {
    try {
      const answer = await ask(key)
      const believed = lifetime(answer)
      if (believed > 0) answers.set(key, { answer, since: now(), believed })
      if (answers.size > mostAnswers) answers.delete(answers.keys().next().value!)
      return answer
    } finally {
      questions.delete(key)
    }
  }

  return async key => {
    const known = recall(key)
    if (known !== undefined) return known
    const underWay = questions.get(key)
    if (underWay !== undefined) return underWay
    if (questions.size >= mostQuestions) return tooMany()
    const question = learn(key)
    questions.set(key, question)
    return question
  }
}
