// elemta postqueue: Postfix's command of that name, for people and scripts that know it.
import type { Command } from 'commander'

type Options = Readonly<{ p?: true; j?: true; f?: true; i?: string; s?: string; config?: string }>

export function register(program: Command): void {
  program
    .command('postqueue')
    .description("list and flush the queue as Postfix's postqueue does")
    .option('-p', 'print the queue as mailq does')
    .option('-j', 'print the queue as JSON lines')
    .option('-f', 'try everything that is deferred now')
    .option('-i <id>', 'try this message now')
    .option('-s <domain>', 'try what is for this domain now')
    .option('-c, --config <file>', 'configuration file')
    .action(async (options: Options) => {
      const { p, j, f, i, s, config } = options
      const { withOperator } = await import('./operator-client.ts')
      const { runAct, tellAct } = await import('./queue-options.ts')
      const { EXIT, ExitError } = await import('../../src/platform/exit.ts')
      if ([p, j, f, i, s].filter(option => option !== undefined).length !== 1) {
        throw new ExitError(EXIT.usage, 'say one of -p, -j, -f, -i ID and -s DOMAIN')
      }
      await withOperator(config, async call => {
        if (p) return (await import('./mailq.ts')).printMailq(call)
        if (j) {
          const { listMessages } = await import('./queue-pages.ts')
          const { postqueueObject } = await import('./queue-text.ts')
          for await (const message of listMessages(call)) process.stdout.write(postqueueObject(message))
          return
        }
        const selection =
          i !== undefined ? { ids: [i] } : s !== undefined ? { filter: { domain: s } } : { all: true as const }
        tellAct('flush', await runAct(call, 'queue/retry', selection), {})
      })
    })
}
