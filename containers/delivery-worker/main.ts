// The delivery of a deployment: as `elemta serve --role delivery`. SIGTERM: attempts that are on end; what lasts longer than a
// task may is called off and given back, for another task to try.
import { runRole } from '../../local/run-role.ts'

await runRole('delivery')
