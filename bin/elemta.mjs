#!/usr/bin/env node
// What `npx elemta` runs: elemta.ts under a Node that runs TypeScript. Plain JavaScript, because the machine's own
// Node may be older (20); the project's Node 24 comes with its packages.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const program = new URL('elemta.ts', import.meta.url)
const ownNode = fileURLToPath(new URL('../node_modules/node/bin/node', import.meta.url))

if (Number.parseInt(process.versions.node, 10) >= 24) await import(program.href)
else if (existsSync(ownNode)) {
  const child = spawn(ownNode, [fileURLToPath(program), ...process.argv.slice(2)], { stdio: 'inherit' })
  // Stay until the child is done. From a service manager a signal reaches only us.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 143)))
} else {
  console.error(
    `elemta: this is Node ${process.version}; run "npm install" here once, it brings the Node 24 that is needed`,
  )
  process.exit(69)
}
