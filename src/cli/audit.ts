import { Command, Option } from 'commander'
import { listAudit } from '../core/audit/list-audit.ts'
import { AUDIT_SUBJECTS, type AuditSubject } from '../core/audit/record-audit.ts'
import { useDatabase } from './database.ts'
import type { Environment } from './environment.ts'
import { printJson, printTable } from './output.ts'
import { readId } from './read-id.ts'
import { readLimit } from './read-limit.ts'

type ListOptions = { partner?: string; subject?: AuditSubject; before?: string; limit: string; json?: true }

/** `audit …`: who did what by hand. */
export const auditCommand = (environment: Environment): Command => {
  const audit = new Command('audit').description('who did what by hand, and from where')
  audit
    .command('list')
    .description('list the audit log, newest first')
    .option('--partner <id>', 'only what concerns this partner')
    .addOption(new Option('--subject <kind>', 'only what was done to such things').choices(AUDIT_SUBJECTS))
    .option('--before <id>', 'only lines with smaller ids: the last one’s of the page before')
    .option('--limit <lines>', 'how many lines at most, 1 to 1000', '50')
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nExample:\n  gateway audit list --partner 17 --limit 10')
    .action((options: ListOptions) => list(environment, options))
  return audit
}

const list = async (environment: Environment, options: ListOptions): Promise<void> => {
  const filter = {
    partnerId: options.partner === undefined ? null : readId('partner', options.partner),
    subject: options.subject ?? null,
    before: options.before === undefined ? null : readId('line', options.before),
    limit: readLimit(options.limit, 1000),
  }
  const lines = await useDatabase(environment, (database) => listAudit(database, filter))
  const rows = lines.map((line) => ({
    id: line.id,
    at: line.at,
    actor: line.actor,
    from: line.from,
    action: line.action,
    subject: line.subject,
    partner_id: line.partnerId,
    before: line.before,
    after: line.after,
  }))
  if (options.json) return printJson(rows)
  printTable(rows, 'Nothing was done by hand yet.')
}
