// `elemta config check | show | schema`: is the file right, what holds, and what may stand in it.
import type { Command } from 'commander'
import { configJsonSchema } from '../../src/platform/config-json-schema.ts'
import { findConfigFile, loadConfig } from '../../src/platform/config-load.ts'
import { configWarnings } from '../../src/platform/config-rules.ts'
import { formatConfig } from '../../src/platform/config-show.ts'

type Options = Readonly<{ config?: string }>

export function register(program: Command): void {
  const command = program.command('config').description('check, show or describe the configuration')
  const file = ['-c, --config <file>', 'configuration file'] as const

  command
    .command('check')
    .description('say what is wrong in the file, with line and column; exit 78 when something is')
    .option(...file)
    .action(({ config: named }: Options) => {
      const found = findConfigFile(named)
      for (const warning of configWarnings(loadConfig(found))) console.log(`${found}: warning: ${warning}`)
      console.log(`${found}: ok`)
    })

  command
    .command('show')
    .description('print the effective configuration with all defaults, secrets masked')
    .option(...file)
    .action(({ config: named }: Options) => {
      process.stdout.write(formatConfig(loadConfig(named)))
    })

  command
    .command('schema')
    .description('print the JSON Schema of the file, for editors')
    .action(() => {
      process.stdout.write(configJsonSchema())
    })
}
