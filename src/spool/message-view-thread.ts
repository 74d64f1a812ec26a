// The thread that reads one message for `viewMessage`, and ends: whatever the message does to the reader, it does here.
import { parentPort, workerData } from 'node:worker_threads'
import { partsOfMessage } from './message-parts.ts'

parentPort?.postMessage(partsOfMessage(Buffer.from(workerData as Uint8Array)))
