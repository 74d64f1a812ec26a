// elemta send: sends a sample by SMTP and tells what became of it, until its end state.
import { Argument, type Command } from 'commander'
import { SAMPLES, type SampleName } from '../../local/samples.ts'

export function register(program: Command): void {
  program
    .command('send')
    .description('send a sample mail to the gateway on this machine and follow it to its end')
    .addArgument(new Argument('<sample>', 'what to send').choices(SAMPLES))
    .option('-c, --config <file>', 'configuration file')
    .option('--to <address>', 'recipient (default: you@ the first of relay.domains)')
    .action(async (sample: SampleName, options: { config?: string; to?: string }) => {
      const { loadConfig } = await import('../../src/platform/config-load.ts')
      const { sendSample } = await import('../../local/send.ts')
      const delivered = await sendSample(sample, { config: loadConfig(options.config), to: options.to })
      if (!delivered) process.exitCode = 1
    })
}
