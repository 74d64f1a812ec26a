// Users of a story's gateway, made as an admin makes them: by the command line, the password on standard input.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import type { Gateway } from './gateway.ts'
import { ENTRY } from './program.ts'

/** Runs `elemta user add`. Throws with what it says when it does not succeed. */
export async function addUser(
  { configFile }: Pick<Gateway, 'configFile'>,
  name: string,
  password: string,
  ...addresses: readonly string[]
): Promise<void> {
  const args = ['user', 'add', name, ...addresses.flatMap(address => ['--address', address]), '--config', configFile]
  const child = spawn(process.execPath, [ENTRY, ...args], { stdio: ['pipe', 'ignore', 'pipe'] })
  child.stdin.end(`${password}\n`)
  const [errors, [code]] = await Promise.all([text(child.stderr), once(child, 'close')])
  if (code !== 0) throw new Error(`elemta user add ended with ${code}: ${errors}`)
}
