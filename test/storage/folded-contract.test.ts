// The contracts of the record store on messages that are folded when the test begins with them.
import { recipientClaimsContract } from '../contract/recipient-claims.ts'
import { recipientListsContract } from '../contract/recipient-lists.ts'
import { recordStoreContract } from '../contract/record-store.ts'
import { foldedHome } from './folded-home.ts'

recordStoreContract(foldedHome)
recipientClaimsContract(foldedHome)
recipientListsContract(foldedHome)
