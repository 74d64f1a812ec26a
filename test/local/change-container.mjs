// Changes what crun is told of a container (config.json) or of a process in one: no limits are raised, which needs rights
// that a namespace in a container does not have; and a stand-in, whose root has a file `.stand-in` with a directory of this
// machine in each line (`from` or `from:to`), gets those, read-only. Others get nothing of this machine.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'

const file = process.argv[2]
const told = JSON.parse(readFileSync(file, 'utf8'))
const started = told.process ?? told
delete started.rlimits
delete started.oomScoreAdj
if (told.root !== undefined) told.mounts = [...mountsOf(told.root.path), ...(told.mounts ?? [])]
writeFileSync(file, JSON.stringify(told))

function mountsOf(path) {
  const list = join(isAbsolute(path) ? path : join(file, '..', path), '.stand-in')
  if (!existsSync(list)) return []
  return readFileSync(list, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map(line => line.split(':'))
    .map(([from, to = from]) => ({ destination: to, source: from, type: 'bind', options: ['rbind', 'ro'] }))
}
