import { Command } from 'commander'
import { type Approval, ApprovalSchema } from '../gen/mpesa/gateway/v1/approvals_pb.js'
import { toRow } from '../runtime/message-row.ts'
import { useApprovals } from './call-service.ts'
import type { Environment } from './environment.ts'
import { type ByOptions, byOption, type JsonOption, readId } from './options.ts'
import { print, printRows } from './output.ts'

/** `approvals …`: changes that wait for another operator, where `FOUR_EYES` is on. */
export const approvalsCommand = (environment: Environment): Command => {
  const approvals = new Command('approvals').description(
    'list and decide changes that wait for another operator (FOUR_EYES)',
  )
  approvals
    .command('list')
    .description('list what waits, oldest first: what will happen, who asked, until when')
    .action(async (options: JsonOption) => {
      const rows = (await findAll(environment)).map((one) => toRow(ApprovalSchema, one))
      const columns = ['approval_id', 'what', 'reason', 'asked_by', 'expires_at']
      printRows(options, rows, { none: 'Nothing waits for an approval.', columns })
    })
  approvals
    .command('approve')
    .argument('<id>', 'the approval', readId('approval'))
    .description('do what another operator asked for; for an operator with the role money')
    .addOption(byOption())
    .action(async (id: bigint, options: ByOptions) => {
      const { done } = await useApprovals(environment, options.by, (client) =>
        client.approveChange({ approvalId: id }),
      )
      print(options, { approval_id: id, decision: 'approved' }, done)
    })
  approvals
    .command('refuse')
    .argument('<id>', 'the approval', readId('approval'))
    .description('refuse what another operator asked for; for an operator with the role money')
    .addOption(byOption())
    .action(async (id: bigint, options: ByOptions) => {
      await useApprovals(environment, options.by, (client) => client.refuseChange({ approvalId: id }))
      print(options, { approval_id: id, decision: 'refused' }, `Approval ${id} is refused.`)
    })
  return approvals
}

const findAll = (environment: Environment): Promise<Approval[]> =>
  useApprovals(environment, undefined, async (client) => {
    const found: Approval[] = []
    for (let after: bigint | undefined; ; ) {
      const page = await client.listApprovals({ after, pageSize: 1000 })
      found.push(...page.approvals)
      if (page.nextAfter === undefined) return found
      after = page.nextAfter
    }
  })
