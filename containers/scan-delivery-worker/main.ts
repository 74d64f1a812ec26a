// Scanning and delivery of a deployment in one task: as `elemta serve --role scan,delivery`, beside clamd and rspamd. What it
// has scanned it delivers itself, without a wake-up. SIGTERM: what is in work is finished or given back.
import { runRole } from '../../local/run-role.ts'

await runRole('scan', 'delivery')
