import { Command } from 'commander'
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
      const waiting = await useApprovals(environment, undefined, (client) => client.list())
      const rows = waiting.map((one) => ({
        approval_id: one.id,
        what: one.what,
        reason: one.reason,
        asked_by: one.askedBy,
        expires_at: one.expiresAt,
      }))
      printRows(options, rows, { none: 'Nothing waits for an approval.' })
    })
  approvals
    .command('approve')
    .argument('<id>', 'the approval', readId('approval'))
    .description('do what another operator asked for; for an operator with the role money')
    .addOption(byOption())
    .action(async (id: bigint, options: ByOptions) => {
      const done = await useApprovals(environment, options.by, (client) => client.approve(id))
      print(options, { approval_id: id, decision: 'approved' }, done)
    })
  approvals
    .command('refuse')
    .argument('<id>', 'the approval', readId('approval'))
    .description('refuse what another operator asked for; for an operator with the role money')
    .addOption(byOption())
    .action(async (id: bigint, options: ByOptions) => {
      await useApprovals(environment, options.by, (client) => client.refuse(id))
      print(options, { approval_id: id, decision: 'refused' }, `Approval ${id} is refused.`)
    })
  return approvals
}
