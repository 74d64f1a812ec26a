// The SMTP servers of a deployment: as `elemta serve --role ingress`. SIGTERM: no new sessions, those that are there may end
// their transactions; healthy until the end, since a load balancer that is told otherwise cuts them.
import { runRole } from '../../local/run-role.ts'

await runRole('ingress')
