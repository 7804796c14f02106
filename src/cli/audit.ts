import { Command, Option } from 'commander'
import { AUDIT_SUBJECTS, type AuditSubject } from '../core/audit/record-audit.ts'
import { AuditEntrySchema } from '../gen/mpesa/gateway/v1/audit_pb.js'
import { toRow } from '../runtime/message-row.ts'
import { useAudit } from './call-service.ts'
import type { Environment } from './environment.ts'
import { type JsonOption, optional, readId, readLimit } from './options.ts'
import { printRows } from './output.ts'

type ListOptions = JsonOption & { partner?: string; subject?: AuditSubject; before?: string; limit: string }

/** `audit …`: who did what by hand. */
export const auditCommand = (environment: Environment): Command => {
  const audit = new Command('audit').description('who did what by hand, and from where')
  audit
    .command('list')
    .description('list the audit log, newest first')
    .option('--partner <id>', 'only what concerns this partner')
    .addOption(new Option('--subject <kind>', 'only what was done to such things').choices(AUDIT_SUBJECTS))
    .option('--before <id>', 'only entries with smaller ids: the last one’s of the page before')
    .option('--limit <lines>', 'how many entries at most, 1 to 1000', '50')
    .addHelpText('after', '\nExample:\n  gateway audit list --partner 17 --limit 10')
    .action(async (options: ListOptions) => {
      const request = {
        partnerId: optional(options.partner, readId('partner')),
        subjectKind: options.subject,
        before: optional(options.before, readId('line')),
        pageSize: readLimit(options.limit, 1000),
      }
      const { entries } = await useAudit(environment, (service) => service.listAuditEntries(request))
      const rows = entries.map((entry) => toRow(AuditEntrySchema, entry))
      printRows(options, rows, { none: 'Nothing was done by hand yet.' })
    })
  return audit
}
