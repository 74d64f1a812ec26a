// The scanning of a deployment: as `elemta serve --role scan`, beside clamd and rspamd, which run in the same task and are
// never started from here (`managed: false`). While one of them does not answer, mail waits. SIGTERM: what is being scanned
// is finished or given back.
import { runRole } from '../../local/run-role.ts'

await runRole('scan')
