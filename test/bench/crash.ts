// What crashes and power cuts cost: not about speed. A whole gateway is killed again and again while it takes mail and
// delivers it, at a steady rate and as fast as it goes; and power is cut, simulated, through accepting and delivery.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { type CrashResult, runCrashLoop } from '../pipeline/crash-loop.ts'
import { cutPower, type PowerCutResult } from '../pipeline/power-cut.ts'
import type { Plan } from './accept.ts'
import { temporaryDirectory } from './program.ts'
import { markdown } from './table.ts'

const MESSAGES = 1000
const KILLS = 30
const STEADY_RATE = 50
const CUTS = { messages: 200, cuts: 100, restarts: 8 }
const SEED = 1

export async function measureCrashes({ directory, say }: Plan) {
  const loops: { what: string; result: CrashResult }[] = []
  for (const rate of [STEADY_RATE, undefined]) {
    const what = rate === undefined ? 'as fast as it goes' : `${rate} messages a second`
    say(`${MESSAGES} messages, ${KILLS} kills, ${what}`)
    const place = temporaryDirectory(directory)
    const result = await runCrashLoop({
      ...{ messages: MESSAGES, kills: KILLS, seed: SEED, directory: place },
      ...(rate !== undefined && { rate }),
    })
    loops.push({ what, result })
    rmSync(join(place, 'data'), { recursive: true })
  }
  say(`${CUTS.cuts} power cuts`)
  const power = await cutPower({ ...CUTS, seed: SEED, directory: temporaryDirectory(directory) })
  return { markdown: table(loops, power), figures: { seed: SEED, loops, power } }
}

function table(loops: readonly { what: string; result: CrashResult }[], power: PowerCutResult): string {
  const head = ['', 'kills', 'acknowledged', 'lost', 'refused, but delivered', 'corrupt', 'doubles', 'told as in doubt']
  const rows = loops.map(({ what, result }) => [
    what,
    ...[result.kills, result.acknowledged, result.lost, result.refusedButDelivered, result.corrupt].map(String),
    `${result.doubles} (≤ ${result.kills}: ${result.doubles <= result.kills ? 'reached' : 'missed'})`,
    String(result.inDoubt),
  ])
  const deadLetters = loops.reduce((sum, { result }) => sum + result.deadLetters, 0)
  const notes = [
    `- recipients whose job met so many crashes that it became a dead letter, and was replayed at the end: ${deadLetters}`,
    `- power cuts: ${power.cuts} moments, ${power.restarts} restarts, ${power.acknowledged} messages; faults: ${power.faults.length}`,
    ...power.faults.slice(0, 10).map(fault => `  - ${fault}`),
  ]
  return ['### Crashes and power cuts', '', ...markdown(head, rows), '', ...notes, ''].join('\n')
}
