// A process of its own that counts an entry up: node policy-count-up.ts DATA_DIR TIMES.
import { openPolicyStore } from '../../src/backends.ts'

const [dataDir = '', times] = process.argv.slice(2)
const store = await openPolicyStore({ dataDir })
process.stdout.write('ready\n')
for (let n = 0; n < Number(times); n++) {
  await store.update('space', 'key', 0, current => ({
    value: { n: Number(current?.value.n ?? 0) + 1 },
    expiresAt: 1,
  }))
}
await store.close()
