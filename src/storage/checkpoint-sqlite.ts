// Checkpoints beside the writer: a commit that has to bring the log into a large database itself keeps everybody behind
// it waiting for a tenth of a second. The thread is started with the first of them, so that what opens a database for
// a moment has no thread too many. Without it, or when it cannot keep up, the writer's own limit holds the log short.
import { Worker } from 'node:worker_threads'

/** In milliseconds. Rarely: its syncs hold up even those who only write to the log, for a tenth of a second. */
const EVERY = 30_000

/** Begins checkpoints of an existing database. `onCrash` is told when their thread dies; there are none from then on. */
export function startCheckpoints(path: string, onCrash?: (error: Error) => void): Readonly<{ stop(): Promise<void> }> {
  let thread: Worker | undefined
  let exited: Promise<unknown> | undefined

  function start(): Worker {
    const started = new Worker(new URL('./checkpoint-thread-sqlite.ts', import.meta.url), {
      workerData: { path },
      execArgv: [],
      name: 'checkpoints',
    })
    started.unref()
    exited = new Promise(resolve => started.once('exit', resolve))
    started.on('error', error => {
      clearInterval(timer)
      onCrash?.(error as Error)
    })
    return started
  }

  const timer = setInterval(() => {
    thread ??= start()
    thread.postMessage('checkpoint')
  }, EVERY).unref()

  return {
    async stop() {
      clearInterval(timer)
      thread?.ref()
      thread?.postMessage('close')
      await exited
    },
  }
}
