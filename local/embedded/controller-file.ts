// Where the controller of an own rspamd listens, for commands that are not the gateway: `<data_dir>/daemons/
// controller.json`, written when rspamd has started and removed when it was stopped. After a crash it may be wrong:
// whoever reads it asks first whether somebody answers there.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export type ControllerAddress = Readonly<{ host: string; port: number }>

const fileBelow = (dataDir: string) => join(dataDir, 'daemons', 'controller.json')

export function writeController(dataDir: string, address: ControllerAddress): void {
  const file = fileBelow(dataDir)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${JSON.stringify(address)}\n`)
}

export function removeController(dataDir: string): void {
  rmSync(fileBelow(dataDir), { force: true })
}

/** Undefined where no gateway runs an rspamd of its own. */
export function readController(dataDir: string): ControllerAddress | undefined {
  try {
    return JSON.parse(readFileSync(fileBelow(dataDir), 'utf8')) as ControllerAddress
  } catch {
    return undefined
  }
}
