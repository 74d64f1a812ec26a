// Says when files may have changed, by whatever way they are replaced: written in place, renamed over, or by a symbolic
// link that is turned anywhere on the way to them (certbot, Kubernetes secrets). Watches directories, since a file that
// is replaced takes its watch with it. Best effort: what cannot be watched is reported once and needs another trigger.
import { type FSWatcher, watch } from 'node:fs'
import { readlink, realpath, stat } from 'node:fs/promises'
import { dirname, isAbsolute, join, resolve } from 'node:path'

export type FileWatch = Readonly<{
  /** Call it after each change too: links may lead elsewhere now. */
  follow(paths: readonly string[]): Promise<void>
  close(): void
}>

type Options = Readonly<{
  onChange(): void
  /** This directory is not watched: too many watches, no right, a file system that cannot. */
  onTrouble(directory: string, error: Error): void
}>

/** More links than any path has; the system gives up at 40 (ELOOP). */
const MOST_LINKS = 40
/** Milliseconds to gather what belongs to one change. */
const GATHER = 300

export function createFileWatch({ onChange, onTrouble }: Options): FileWatch {
  const watchers = new Map<string, FSWatcher>()
  const troubled = new Set<string>()
  let gathering: NodeJS.Timeout | undefined
  let closed = false

  function changed(): void {
    gathering ??= setTimeout(() => {
      gathering = undefined
      onChange()
    }, GATHER).unref()
  }

  function trouble(directory: string, error: Error): void {
    if (troubled.has(directory)) return
    troubled.add(directory)
    onTrouble(directory, error)
  }

  function start(directory: string): FSWatcher | undefined {
    try {
      return watch(directory, { persistent: false }, changed).on('error', error => trouble(directory, error))
    } catch (error) {
      trouble(directory, error as Error)
      return undefined
    }
  }

  async function follow(paths: readonly string[]): Promise<void> {
    const wanted = new Map<string, string>()
    for (const path of paths) {
      for (const directory of await directoriesOf(path)) {
        const found = await existing(directory)
        wanted.set(found.identity, found.path)
      }
    }
    if (closed) return
    for (const [identity, directory] of wanted) {
      const watcher = watchers.has(identity) ? undefined : start(directory)
      if (watcher !== undefined) watchers.set(identity, watcher)
    }
    for (const [identity, watcher] of watchers) {
      if (wanted.has(identity)) continue
      watcher.close()
      watchers.delete(identity)
    }
  }

  function close(): void {
    closed = true
    clearTimeout(gathering)
    for (const watcher of watchers.values()) watcher.close()
    watchers.clear()
  }

  return { follow, close }
}

/** The directories in which a change can lead the path elsewhere: those that hold a link on the way, and its last. */
async function directoriesOf(path: string): Promise<readonly string[]> {
  const directories: string[] = []
  let at = '/'
  let ahead = resolve(path).split('/')
  for (let links = 0; links < MOST_LINKS; ) {
    const name = ahead.shift()
    if (name === undefined) break
    const next = join(at, name)
    const target = await linkTarget(next)
    if (target === undefined) at = next
    else {
      links++
      directories.push(at)
      ahead = [...target.split('/'), ...ahead]
      if (isAbsolute(target)) at = '/'
    }
  }
  return [...directories, dirname(at)]
}

async function linkTarget(path: string): Promise<string | undefined> {
  try {
    return await readlink(path)
  } catch {
    // No link, or nothing there yet.
    return undefined
  }
}

/** The directory, or the nearest one above it that is there; another one under the same name has another identity. */
async function existing(directory: string): Promise<{ path: string; identity: string }> {
  for (let at = directory; ; at = dirname(at)) {
    try {
      const path = await realpath(at)
      // Numbers of inodes are used again at once; the time of birth tells such twins apart.
      const { dev, ino, birthtimeMs } = await stat(path)
      return { path, identity: `${path}:${dev}:${ino}:${birthtimeMs}` }
    } catch (error) {
      if (at === dirname(at)) throw error
    }
  }
}
