import type { Mutant } from './mutant.ts'

/** What operators and a new release rely on: the audit log, keys that end, and that processes of the release before work on. */
export const OPERATOR_MUTANTS: readonly Mutant[] = [
  {
    name: 'connections of the release before are left with their outdated statements',
    law: 1,
    file: 'src/database/migrations/017-reconnect.ts',
    changes: [{ find: "application_name = ''", replace: "application_name = 'nobody'" }],
    killedBy: { file: 'test/database/reconnect.test.ts', test: 'of release 0.1.0 end with the migration' },
  },
  {
    name: 'a signing secret that a service rotates is in no audit log',
    law: 8,
    file: 'src/core/partners/signing-secret.ts',
    changes: [{ find: 'await recordAudit(transaction, {', replace: 'void ({' }],
    killedBy: {
      file: 'test/core/audit/every-change.test.ts',
      test: 'by rotateSigningSecret is written down',
    },
  },
  {
    name: 'a key that is rotated lives for ever',
    law: 8,
    file: 'src/core/partners/api-key.ts',
    changes: [{ find: 'expiresAt: key.expires_at', replace: 'expiresAt: null' }],
    killedBy: { file: 'test/core/partners/rotate-key.test.ts', test: 'expires when it would have' },
  },
  {
    name: 'a partner of whom something leaves counts twice',
    law: 7,
    file: 'src/dispatcher/deliver/fair-queue.ts',
    changes: [
      {
        find: 'if (partner.deliveries === 0)',
        replace: 'if (partner.running === 0 && partner.waiting === 0)',
      },
    ],
    killedBy: { file: 'test/dispatcher/deliver/fair-queue.test.ts', test: 'counts a partner once' },
  },
  {
    name: 'endpoints of new partners stand behind those of old ones that are due again',
    law: 7,
    file: 'src/dispatcher/endpoints/release.ts',
    changes: [
      {
        find: "ORDER BY CASE state WHEN 'open' THEN open_until WHEN 'half_open' THEN probing_until ELSE release_at END NULLS FIRST",
        replace: 'ORDER BY partner_id, host',
      },
    ],
    killedBy: { file: 'test/dispatcher/endpoints/release-order.test.ts', test: 'by how long it is due' },
  },
  {
    name: 'who asked for a change approves it too',
    law: 8,
    file: 'src/core/services/decide-approval.ts',
    changes: [{ find: 'row.asked_by === name', replace: "row.asked_by === ''" }],
    killedBy: {
      file: 'test/core/approvals/approvals.test.ts',
      test: 'is not approved by the one who asked',
    },
  },
  {
    name: 'an approval is decided after its change is there',
    law: 8,
    file: 'src/core/services/decide-approval.ts',
    changes: [
      { find: 'const { said, report } = await', replace: 'const { said, report, row } = await' },
      { find: "    await decide({ transaction, row, actor, decision: 'approved' })\n", replace: '' },
      { find: '    return done\n', replace: '    return { ...done, row }\n' },
      {
        find: "  crashPoint('approve_change.after_commit')\n",
        replace:
          "  crashPoint('approve_change.after_commit')\n  await parts.database.transaction().execute((transaction) => decide({ transaction, row, actor, decision: 'approved' }))\n",
      },
    ],
    killedBy: {
      file: 'test/faults/operator-words.test.ts',
      test: 'approve_change.after_commit',
    },
  },
]
