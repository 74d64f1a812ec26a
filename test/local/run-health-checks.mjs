// Runs the health checks of all containers, as systemd's timers do where there is a systemd: every second in the time that a
// container has to start, when a failure does not count; then at the check's own interval, or each ten seconds where it is well.
import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const podman = promisify(execFile).bind(undefined, 'podman')
const SECOND = 1e9 // podman counts nanoseconds
const WELL = 10_000

/** By container: when it began, and is due again, in milliseconds; its check's interval and start period. */
const known = new Map()

for (; ; await sleep(1000)) {
  const { stdout } = await podman(['ps', '--format', '{{.ID}} {{.Status}}']).catch(() => ({ stdout: '' }))
  const running = stdout.split('\n').filter(line => /\((starting|healthy|unhealthy)\)$/.test(line))
  await Promise.all(running.map(line => check(line.split(' ')[0], line.endsWith('(healthy)')).catch(() => {})))
}

async function check(id, well) {
  const about = known.get(id) ?? (await read(id))
  known.set(id, about)
  const now = Date.now()
  if (now < about.due) return
  await podman(['healthcheck', 'run', id]).catch(() => {})
  const starting = now - about.began < about.startPeriod
  about.due = now + (well ? Math.max(WELL, about.interval) : starting ? 0 : about.interval)
}

async function read(id) {
  const { stdout } = await podman(['inspect', id, '--format', '{{json .Config.Healthcheck}}'])
  const { Interval = 30 * SECOND, StartPeriod = 0 } = JSON.parse(stdout)
  return { began: Date.now(), due: 0, interval: (Interval / SECOND) * 1000, startPeriod: (StartPeriod / SECOND) * 1000 }
}
