// podman for the tests of this folder, which run beside one of their own (with-containers.sh). Each function rejects with what
// podman said when it fails.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'

const run = promisify(execFile)
const MAX = { maxBuffer: 2 ** 30 }

export async function podman(...args: readonly string[]): Promise<string> {
  return (await run('podman', args, MAX)).stdout.trim()
}

/** As much of what podman tells as is looked at: of images the first three, of containers the last. */
export type Inspected = Readonly<{
  Config: Readonly<{ User: string; Env: readonly string[] }>
  Labels: Readonly<Record<string, string>>
  History: readonly unknown[]
  State: Readonly<{ Pid: number; ExitCode: number; Running: boolean; Health: Readonly<{ Status: string }> }>
}>

export async function inspect(name: string): Promise<Inspected> {
  return JSON.parse(await podman('inspect', name))[0]
}

/** All files of an image: path to octets; directories and links have none. */
export async function filesOf(image: string): Promise<ReadonlyMap<string, number>> {
  const container = await podman('create', image)
  try {
    const { stdout } = await run('sh', ['-c', `podman export ${container} | tar --list --verbose --numeric-owner`], MAX)
    return new Map(
      stdout
        .split('\n')
        .map(line => /^(\S)\S+ +\S+ +(\d+) +\S+ +\S+ (.*?)( -> .*)?$/.exec(line))
        .filter(found => found !== null)
        .map(([, kind, size, path]) => [path!, kind === '-' ? Number(size) : 0]),
    )
  } finally {
    await podman('rm', '--volumes', container)
  }
}

/** A file of an image, as text. */
export async function readFromImage(image: string, path: string): Promise<string> {
  const container = await podman('create', image)
  try {
    const { stdout } = await run('sh', ['-c', `podman cp ${container}:${path} - | tar --extract --to-stdout`], MAX)
    return stdout
  } finally {
    await podman('rm', '--volumes', container)
  }
}

/** What the kernel knows of a container's first process: real and effective user, environment, capabilities. */
export async function processOf(
  container: string,
): Promise<Readonly<{ users: string[]; capabilities: string; environment: string }>> {
  const { State } = await inspect(container)
  const status = readFileSync(`/proc/${State.Pid}/status`, 'utf8')
  return {
    users: /^Uid:\s+(.*)$/m.exec(status)![1]!.split(/\s+/),
    capabilities: /^CapEff:\s+(\S+)$/m.exec(status)![1]!,
    environment: readFileSync(`/proc/${State.Pid}/environ`, 'latin1').replaceAll('\0', '\n'),
  }
}
