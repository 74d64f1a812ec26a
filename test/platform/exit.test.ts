// What a person is told at the end of a command, and the code that a service manager sees.
import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { EXIT, ExitError, exitFor } from '../../src/platform/exit.ts'

test('a port in use: 69 and what to do', async () => {
  const first = createServer().listen(0, '127.0.0.1')
  await once(first, 'listening')
  const { port } = first.address() as { port: number }
  const [error] = await once(createServer().listen(port, '127.0.0.1'), 'error')
  first.close()
  const { exitCode, message } = exitFor(error)
  expect(exitCode).toBe(69)
  expect(message).toContain(`127.0.0.1:${port}: the port is in use`)
})

test('an end that was foreseen: its own code and text', () => {
  expect(exitFor(new ExitError(EXIT.unavailable, 'the gateway does not run'))).toEqual({
    exitCode: 69,
    message: 'elemta: the gateway does not run',
  })
})

test('anything else is our fault: 70, a message, no stack', () => {
  const { exitCode, message } = exitFor(new TypeError('x is not a function'))
  expect(exitCode).toBe(70)
  expect(message).toBe('elemta: x is not a function (ELEMTA_DEBUG=1 shows where)')
  expect(exitFor('thrown text')).toEqual({ exitCode: 70, message: 'elemta: thrown text' })
})
