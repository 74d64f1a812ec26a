// Before the tests of this folder: makes stand-ins for all images that Dockerfiles and compose files name. Fails outside of
// with-containers.sh, so that no image of a real podman is ever replaced.
import { execFileSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { environment } from '../../src/platform/environment.ts'

export default function setup(): void {
  if (environment.ELEMTA_TEST_LOCAL === undefined)
    throw new Error('these tests run inside test/local/with-containers.sh')
  const root = new URL('../..', import.meta.url).pathname
  const files = globSync(['containers/*/Dockerfile', 'local/docker-compose*.yml'], { cwd: root })
  execFileSync(process.execPath, [`${root}/test/local/stand-ins.ts`, ...files], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}
