// The contracts on the AWS home as it is put together: S3, DynamoDB and SQS.
import { jobQueueContract } from '../contract/job-queue.ts'
import { jobQueuePriorityContract } from '../contract/job-queue-priority.ts'
import { messageStoreContract } from '../contract/message-store.ts'
import { togetherContract } from '../contract/together.ts'
import { awsHome } from './aws-home.ts'

messageStoreContract(awsHome)
jobQueueContract(awsHome)
jobQueuePriorityContract(awsHome)
togetherContract(awsHome, { allOrNone: false })
