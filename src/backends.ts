// The composition root: puts the adapters of a home together behind the ports. The embedded home is one data
// directory that one process owns; another process may read it meanwhile.
// Fails with a SpoolError when the directory cannot or must not be used, and has then changed nothing in it.
import type { DeliveryJob, ScanJob } from './mail/job.ts'
import type { Log } from './platform/log.ts'
import type { Backends } from './storage/backends.ts'
import { startCheckpoints } from './storage/checkpoint-sqlite.ts'
import type { JobQueue } from './storage/job-queue.ts'
import { createSqliteJobQueue, tallyJobs, voidLeases } from './storage/job-queue-sqlite.ts'
import { lockDirectory } from './storage/lock-sqlite.ts'
import { type ContentReader, createContentReader, createDiskMessageStore } from './storage/message-store-disk.ts'
import { createPolicyDatabase, policyDatabaseDamage, setPolicyDatabaseAside } from './storage/policy-database-sqlite.ts'
import type { PolicyStore } from './storage/policy-store.ts'
import { createSqlitePolicyStore } from './storage/policy-store-sqlite.ts'
import { openReader } from './storage/reader-sqlite.ts'
import { createRecordReader, createSqliteRecordStore, type RecordReader } from './storage/record-store-sqlite.ts'
import { createRoomCheck } from './storage/room-disk.ts'
import { checkDatabase, createDatabase, databaseExists, migrateDatabase } from './storage/schema-sqlite.ts'
import { SpoolError } from './storage/spool-error.ts'
import { databasePath, makeDataDirectory, prepareSpool, setFilesAside, spoolFiles } from './storage/spool-files-disk.ts'
import { sweep } from './storage/sweep-sqlite.ts'
import { startWriter } from './storage/writer-sqlite.ts'

const LEASE_TIME = 5 * 60_000
const RESERVE = 128 * 1024 * 1024

export type EmbeddedOptions = Readonly<{
  dataDir: string
  /** Milliseconds since 1970. */
  now: () => number
  log?: Log
  /** Milliseconds until the job of a silent worker is handed out again; 5 minutes unless given. */
  leaseTime?: number
  /** Octets of room on the disk below which no new content is taken; 128 MiB unless given. */
  reserve?: number
  /** For tests: a spool that syncs too late, and one whose log is small. */
  writer?: Readonly<{ synchronous?: 'FULL' | 'NORMAL'; checkpointPages?: number }>
}>

/** Opens (and makes, if need be) a data directory as its only owner: leases of a predecessor are void, and claims end with it. */
export async function openEmbedded(options: EmbeddedOptions): Promise<Backends> {
  const { dataDir, now, log, leaseTime = LEASE_TIME, reserve = RESERVE } = options
  const closers: (() => unknown)[] = []
  let closing: Promise<void> | undefined
  async function closeAll() {
    for (const closer of closers.reverse()) await closer()
  }
  function close() {
    closing ??= closeAll()
    return closing
  }

  try {
    await makeDataDirectory(dataDir)
    closers.push(lockDirectory(dataDir))

    const path = databasePath(dataDir)
    if (databaseExists(path)) {
      checkDatabase(path, { thorough: true })
      migrateDatabase(path)
    } else {
      const aside = await setFilesAside(dataDir, now())
      if (aside !== undefined) log?.warn({ path: aside }, 'spool-set-aside')
      createDatabase(path)
    }
    await prepareSpool(dataDir)

    const onCrash = (error: Error) => log?.error({ err: error }, 'spool-writer-died')
    const writer = await startWriter({ path, synchronous: 'FULL', ...options.writer, onCrash })
    closers.push(() => writer.close())
    const reader = openReader(path)
    closers.push(() => reader.close())
    await writer.run([voidLeases('scan_jobs', now()), voidLeases('delivery_jobs', now())])

    const checkRoom = createRoomCheck(dataDir, reserve, reader)
    const messages = createDiskMessageStore({ writer, reader, files: spoolFiles(dataDir), checkRoom })
    const swept = await sweep(dataDir, messages, reader)
    if (swept.files + swept.contents > 0) log?.info(swept, 'spool-swept')

    async function asOne(writes: readonly (() => Promise<unknown>)[], options: { durable: boolean }): Promise<void> {
      const started: Promise<unknown>[] = []
      try {
        writer.group(() => {
          for (const write of writes) started.push(write())
        }, options)
      } finally {
        await Promise.allSettled(started)
      }
      await Promise.all(started)
    }

    const queue = { writer, reader, now, leaseTime }
    const scanJobs = createSqliteJobQueue<ScanJob>({ ...queue, table: 'scan_jobs' })
    const deliveryJobs = createSqliteJobQueue<DeliveryJob>({ ...queue, table: 'delivery_jobs' })
    closers.push(scanJobs.close, deliveryJobs.close)

    return {
      messages,
      records: createSqliteRecordStore({ writer, reader }),
      scanJobs,
      deliveryJobs,
      together: (...writes) => asOne(writes, { durable: true }),
      provisionally: (...writes) => asOne(writes, { durable: false }),
      close,
    }
  } catch (error) {
    await close()
    if (error instanceof SpoolError) throw error
    const { message } = error as Error
    throw new SpoolError(dataDir, `the spool cannot be opened (${message})`, 'See to the cause and start again', {
      cause: error,
    })
  }
}

/** True when the directory holds a spool that was used before. */
export function hasSpool(dataDir: string): boolean {
  return databaseExists(databasePath(dataDir))
}

export type ReadOnlyBackends = Readonly<{
  messages: ContentReader
  records: RecordReader
  scanJobs: Pick<JobQueue<ScanJob>, 'tally'>
  deliveryJobs: Pick<JobQueue<DeliveryJob>, 'tally'>
  close(): void
}>

/** Opens a data directory for reading, whether or not a process works on it, as operators' commands do. */
export async function openEmbeddedReadOnly({
  dataDir,
  now,
}: Pick<EmbeddedOptions, 'dataDir' | 'now'>): Promise<ReadOnlyBackends> {
  const path = databasePath(dataDir)
  if (!databaseExists(path)) {
    throw new SpoolError(dataDir, 'there is no spool here', 'Name the data directory of a gateway that has run')
  }
  checkDatabase(path, { thorough: false })
  const reader = openReader(path)
  return {
    messages: createContentReader({ reader, files: spoolFiles(dataDir) }),
    records: createRecordReader(reader),
    scanJobs: { tally: async () => tallyJobs(reader, 'scan_jobs', now()) },
    deliveryJobs: { tally: async () => tallyJobs(reader, 'delivery_jobs', now()) },
    close: () => reader.close(),
  }
}

/** In pages of 4 KiB: rarely reached, since checkpoints are made beside the writer. */
const POLICY_LOG_PAGES = 32_000

export type PolicyStoreOptions = Readonly<{
  dataDir: string
  log?: Log
  /** Milliseconds since 1970. */
  now?: () => number
  /** `refuse` is for commands: a gateway may be at work on the file. */
  onDamage?: 'set-aside' | 'refuse'
}>

/**
 * Opens (and makes, if need be) what policies remember: `policy.db` in the data directory. Several processes may have
 * it open. A damaged one is set aside with a warning, and begun anew.
 */
export async function openPolicyStore(options: PolicyStoreOptions): Promise<PolicyStore> {
  const { dataDir, log, now = Date.now, onDamage = 'set-aside' } = options
  const path = `${dataDir}/policy.db`
  await makeDataDirectory(dataDir)
  createPolicyDatabase(path)
  const damage = policyDatabaseDamage(path, { thorough: onDamage === 'set-aside' })
  if (damage !== undefined) {
    if (onDamage === 'refuse') {
      throw new SpoolError(
        path,
        `the policy database is damaged (${damage})`,
        'The next start of the gateway renews it',
      )
    }
    const aside = setPolicyDatabaseAside(path, now())
    log?.warn({ path: aside, why: damage }, 'policy-database-set-aside')
    createPolicyDatabase(path)
  }
  const onCrash = (error: Error) => log?.error({ err: error }, 'policy-writer-died')
  const writer = await startWriter({ path, synchronous: 'NORMAL', checkpointPages: POLICY_LOG_PAGES, onCrash })
  return createSqlitePolicyStore({ writer, reader: openReader(path), checkpoints: startCheckpoints(path, onCrash) })
}
