// Several writes in their order, some of them as one.
import { expect, test } from 'vitest'
import { createWriteSteps, type Merged } from '../../src/storage/write-steps.ts'

function writes(merge: (intents: readonly (string | undefined)[]) => Merged | undefined = () => undefined) {
  const { step, together } = createWriteSteps<string>(merge)
  const done: string[] = []
  const write = (name: string, intent?: string) => () =>
    step(intent, async () => {
      await new Promise(resolve => setImmediate(resolve))
      if (name === 'bad') throw new Error('bad')
      done.push(name)
      return name
    })
  return { together, done, write }
}

test('are done one after the other', async () => {
  const { together, done, write } = writes()
  await together(write('a'), write('b'), write('c'))
  expect(done).toEqual(['a', 'b', 'c'])
})

test('are done at once where nobody waits for others', async () => {
  const { done, write } = writes()
  expect(await write('a')()).toBe('a')
  expect(done).toEqual(['a'])
})

test('end with the first that fails, and each hears of it', async () => {
  const { together, done, write } = writes()
  const heard: unknown[] = []
  const told = (promise: Promise<unknown>) => promise.catch(error => heard.push(String(error)))
  await together(
    () => told(write('a')()),
    () => told(write('bad')()),
    () => told(write('b')()),
  )
  expect(done).toEqual(['a'])
  expect(heard).toEqual(['Error: bad', 'Error: bad'])
  await expect(together(write('bad'), write('c'))).rejects.toThrow('bad')
})

test('are not begun when a call throws', async () => {
  const { together, done, write } = writes()
  const thrown = () => {
    throw new Error('no')
  }
  await expect(together(write('a'), thrown)).rejects.toThrow('no')
  expect(done).toEqual([])
  await together(write('b'))
  expect(done).toEqual(['b'])
})

test('are one where they can be, and what is between them comes after', async () => {
  const merged: (string | undefined)[][] = []
  const { together, done, write } = writes(intents => {
    if (intents[0] !== 'x') return undefined
    return async () => {
      merged.push([...intents])
      return new Map(intents.flatMap((intent, place) => (intent === 'x' ? [[place, place]] : [])))
    }
  })
  const results: unknown[] = []
  const told = (act: () => Promise<unknown>) => async () => results.push(await act())
  await together(write('a'), told(write('b', 'x')), write('c'), told(write('d', 'x')))
  expect(merged).toEqual([['x', undefined, 'x']])
  expect(results).toEqual([0, 2])
  expect(done).toEqual(['a', 'c'])
})

test('are done one by one where they cannot be one after all', async () => {
  const { together, done, write } = writes(() => async () => undefined)
  await together(write('a', 'x'), write('b', 'x'))
  expect(done).toEqual(['a', 'b'])
})
