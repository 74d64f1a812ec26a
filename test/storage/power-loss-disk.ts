// A disk on which only what was synced survives, played from a trace: octets by a sync of their file, names by a sync
// of their directory. Stricter than real file systems, which keep more.
// What was written but not synced is lost, or (as a disk's cache may have it) some of it, in any order.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { FileCall } from './power-loss-trace.ts'

type Change = { at: number; offset: number; octets: Buffer } | { at: number; length: number }
type Node = { directory: boolean; durable: Buffer; size: number; unsynced: Change[] }
type OpenFile = { node: Node; path: string; position: number; append: boolean }

/** Which of the unsynced changes survive: names by their directory, octets by their file. */
export type Survival = (what: 'name' | 'octets') => boolean

export type Disk = Readonly<{
  apply(call: FileCall): void
  /** Writes what would be found after the power came back into `target`; gives the number of files. */
  restore(target: string, survives: Survival): number
}>

/** A disk with nothing on it but the directory `root`. */
export function createDisk(root: string): Disk {
  const newNode = (directory: boolean): Node => ({ directory, durable: Buffer.alloc(0), size: 0, unsynced: [] })
  const names = new Map<string, Node>([[root, newNode(true)]])
  const durableNames = new Map(names)
  const openFiles = new Map<string, OpenFile>()
  const inside = (path: string) => path === root || path.startsWith(`${root}/`)

  function write(file: OpenFile, octets: Buffer, at: number, position?: number) {
    const offset = position ?? (file.append ? file.node.size : file.position)
    if (position === undefined) file.position = offset + octets.length
    file.node.unsynced.push({ at, offset, octets })
    file.node.size = Math.max(file.node.size, offset + octets.length)
  }

  function sync({ node, path }: OpenFile, began: number, works: boolean) {
    if (node.directory && works) {
      for (const name of new Set([...names.keys(), ...durableNames.keys()])) {
        if (dirname(name) === path) copyName(name, durableNames)
      }
    }
    // A sync that fails is the last of it: the kernel takes the octets for written, no later sync brings them back.
    if (works) node.durable = node.unsynced.filter(change => change.at < began).reduce(changed, node.durable)
    node.unsynced = node.unsynced.filter(change => change.at >= began)
  }

  function copyName(name: string, target: Map<string, Node>) {
    const node = names.get(name)
    if (node === undefined) target.delete(name)
    else target.set(name, node)
  }

  function open(path: string, flags: string, descriptor: number) {
    if (!inside(path)) return
    const node = names.get(path) ?? newNode(false)
    names.set(path, node)
    if (flags.includes('O_TRUNC') && node.size > 0) throw new Error(`truncation at open is not played: ${path}`)
    openFiles.set(String(descriptor), { node, path, position: 0, append: flags.includes('O_APPEND') })
  }

  return {
    apply({ call, args, result, began, ended }) {
      const [first = '', second = '', third = '', fourth = ''] = args
      const file = openFiles.get(/^\d+/.exec(String(first))?.[0] ?? '')
      switch (call) {
        case 'openat':
          return open(String(second), String(third), result)
        case 'close':
          openFiles.delete(/^\d+/.exec(String(first))?.[0] ?? '')
          return
        case 'write':
        case 'writev':
          if (file !== undefined) write(file, (second as Buffer).subarray(0, result), ended)
          return
        case 'pwrite64':
        case 'pwritev':
          if (file !== undefined) write(file, (second as Buffer).subarray(0, result), ended, Number(fourth))
          return
        case 'ftruncate':
          file?.node.unsynced.push({ at: ended, length: Number(second) })
          if (file !== undefined) file.node.size = Number(second)
          return
        case 'fsync':
        case 'fdatasync':
          if (file !== undefined) sync(file, began, result >= 0)
          return
        case 'mkdir':
          if (inside(String(first))) names.set(String(first), newNode(true))
          return
        case 'unlink':
        case 'rmdir':
          names.delete(String(first))
          return
        case 'link':
          if (inside(String(first))) names.set(String(second), names.get(String(first))!)
          return
        case 'rename':
          if (!inside(String(first))) return
          names.set(String(second), names.get(String(first))!)
          names.delete(String(first))
          return
        default:
          if (args.some(argument => inside(String(argument)))) throw new Error(`${call} is not played`)
      }
    },

    restore(target, survives) {
      const found = new Map(durableNames)
      for (const name of new Set([...names.keys(), ...durableNames.keys()])) {
        if (names.get(name) !== durableNames.get(name) && survives('name')) copyName(name, found)
      }
      let files = 0
      const byDepth = [...found].sort(([a], [b]) => a.length - b.length)
      for (const [name, node] of byDepth) {
        if (name !== root && !found.has(dirname(name))) {
          found.delete(name)
          continue
        }
        const path = join(target, name.slice(root.length))
        if (node.directory) {
          mkdirSync(path, { recursive: true })
        } else {
          writeFileSync(path, node.unsynced.filter(() => survives('octets')).reduce(changed, Buffer.from(node.durable)))
          files++
        }
      }
      return files
    },
  }
}

function changed(content: Buffer, change: Change): Buffer {
  const length = 'length' in change ? change.length : Math.max(content.length, change.offset + change.octets.length)
  const result = length === content.length ? content : Buffer.alloc(length)
  if (result !== content) content.copy(result)
  if ('octets' in change) change.octets.copy(result, change.offset)
  return result
}
