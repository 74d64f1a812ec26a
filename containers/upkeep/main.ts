// What is done once for all processes of a deployment that has no functions for it: as `elemta serve --role upkeep`. Brings
// deferred mail back, clears away, counts what waits, sends canaries. Two at the same time do no harm but count twice.
import { runRole } from '../../local/run-role.ts'

await runRole('upkeep')
