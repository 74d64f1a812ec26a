// Writes all that the monitoring is configured with, from its typed sources: `npm run monitoring`.
//   node monitoring/render.ts [--check] [--out DIR] [--thresholds FILE] [--scale N] [--interval TIME]
// Without --out the committed files, below this folder; --check writes nothing and fails when they differ from the
// sources. A site renders to a folder of its own with its own thresholds; a drill shortens all times by --scale.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { ConfigError } from '../src/platform/config-errors.ts'
import { parseDuration } from '../src/platform/config-units.ts'
import { renderAlertsDoc } from './alerts-doc.ts'
import { renderDashboards } from './dashboards/render.ts'
import { renderDownsampling } from './downsampling.ts'
import { renderMetricsDoc } from './metrics-doc.ts'
import { renderRemoteWrite } from './remote-write.ts'
import { renderRouting } from './routing/render.ts'
import { renderRules } from './rules/render.ts'
import { renderPrometheus, renderTargets } from './scrape.ts'
import { DEFAULT_SETTINGS, loadSettings, type Settings } from './thresholds.ts'
import { renderThresholdsExample } from './thresholds-example.ts'

/** Each gives paths below the folder `monitoring`, and what stands there. */
const RENDERERS: readonly ((settings: Settings) => Map<string, string>)[] = [
  renderRules,
  renderDashboards,
  settings => renderRouting(settings),
  renderPrometheus,
  () => renderTargets(),
  renderDownsampling,
  renderRemoteWrite,
  () => renderThresholdsExample(),
]

/** Every rendered file, by its path below the folder `monitoring`. */
export function renderAll(settings: Settings): Map<string, string> {
  return new Map(RENDERERS.flatMap(render => [...render(settings)]))
}

/** Writes the files below `folder`, each at once: whoever reads one meanwhile never sees half of it. */
export function writeFiles(files: ReadonlyMap<string, string>, folder: string): void {
  for (const [path, text] of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, `${path}.new`), text)
    renameSync(join(folder, `${path}.new`), join(folder, path))
  }
}

/** The files below `folder` that are missing, or are not what the sources say. */
export function drifted(files: ReadonlyMap<string, string>, folder: string): string[] {
  return [...files]
    .filter(([path, text]) => !existsSync(join(folder, path)) || readFileSync(join(folder, path), 'utf8') !== text)
    .map(([path]) => path)
}

function main(): number {
  const { values } = parseArgs({
    options: {
      check: { type: 'boolean', default: false },
      out: { type: 'string', default: import.meta.dirname },
      thresholds: { type: 'string' },
      scale: { type: 'string' },
      interval: { type: 'string' },
    },
  })
  const site = values.thresholds === undefined ? DEFAULT_SETTINGS : loadSettings(values.thresholds)
  const timing = {
    scale: values.scale === undefined ? site.timing.scale : Number(values.scale),
    evaluation_interval:
      values.interval === undefined ? site.timing.evaluation_interval : parseDuration(values.interval),
  }
  if (!(timing.scale > 0 && timing.scale <= 1)) throw new RangeError('--scale is more than 0 and at most 1')
  const files = renderAll({ ...site, timing })
  // The documentation is of what is shipped: what a site renders for itself says nothing of it.
  const isShipped = values.out === import.meta.dirname
  if (isShipped) {
    for (const [path, text] of [...renderMetricsDoc(files), ...renderAlertsDoc(site)]) files.set(path, text)
  }
  if (!values.check) {
    writeFiles(files, values.out)
    console.log(`${files.size} files written below ${values.out}`)
    return 0
  }
  const different = drifted(files, values.out)
  for (const path of different) console.error(`${path} is not what its source says: run npm run monitoring`)
  return different.length === 0 ? 0 : 1
}

if (import.meta.main) {
  try {
    process.exitCode = main()
  } catch (error) {
    if (!(error instanceof ConfigError || error instanceof RangeError)) throw error
    console.error(error.message)
    process.exitCode = 1
  }
}
