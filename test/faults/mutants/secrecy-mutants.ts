import type { Mutant } from './mutant.ts'

/** What breaks the law of what nobody may see. */
export const SECRECY_MUTANTS: readonly Mutant[] = [
  {
    name: 'a partner finds the payments of others by their receipt',
    law: 8,
    file: 'src/core/payments/list.ts',
    changes: [
      {
        find: 'WHERE id = newest.payment_id AND ${ownedBy(owner)} AND',
        replace: 'WHERE id = newest.payment_id AND',
      },
    ],
    killedBy: {
      file: 'test/contract/find-payments.test.ts',
      test: 'by receipt another partner finds its own, and none of ours',
    },
  },
  {
    name: 'a partner sees the payments of others',
    law: 8,
    file: 'src/core/payments/find.ts',
    changes: [
      {
        find: "typeof owner === 'string' ? query : query.where('partner_id', '=', owner.partnerId)\n  return owned.executeTakeFirst()",
        replace: 'query\n  return owned.executeTakeFirst()',
      },
    ],
    killedBy: {
      file: 'test/contract/transactions.test.ts',
      test: 'that nobody has, and a stranger’s, are the same 404',
    },
  },
  {
    name: 'a test key is a real key of its partner',
    law: 8,
    file: 'src/core/partners/calling-partner.ts',
    changes: [{ find: 'isTest ? testIdOf(row.id) : row.id', replace: 'isTest ? row.id : row.id' }],
    killedBy: {
      file: 'test/core/rehearsal/test-payments.test.ts',
      test: 'is another’s for a real key, and a real payment for a test key: the same 404, and no list has both',
    },
  },
  {
    name: 'a test payment goes to Daraja',
    law: 2,
    file: 'src/core/partners/open-accounts.ts',
    changes: [{ find: 'return options.openTestAccount(accountId)', replace: 'return defaultAccount' }],
    killedBy: {
      file: 'test/core/rehearsal/test-payments.test.ts',
      test: 'of whatever outcome never meets Daraja; a real one does',
    },
  },
  {
    name: 'test payments take the slots of real ones',
    law: 7,
    file: 'src/core/submit/submit.ts',
    changes: [{ find: "account?.test ? 'test' : 'real'", replace: "account?.test ? 'real' : 'real'" }],
    killedBy: {
      file: 'test/core/rehearsal/test-payments.test.ts',
      test: 'that wait for an answer take no slot of the real ones',
    },
  },
  {
    name: 'a mistyped key is looked up',
    law: 8,
    file: 'src/core/partners/secret-check.ts',
    changes: [
      {
        find: 'if (!options.prefixes.some((prefix) => isWellFormedSecret(prefix, secret))) return wrong(address)',
        replace: '',
      },
    ],
    killedBy: {
      file: 'test/core/partners/authenticate.test.ts',
      test: 'a key whose checksum is wrong costs no query',
    },
  },
  {
    name: 'a revoked key is remembered as a good one',
    law: 8,
    file: 'src/core/partners/secret-check.ts',
    changes: [{ find: 'const REMEMBERED_MS = 4_000', replace: 'const REMEMBERED_MS = 40_000' }],
    killedBy: {
      file: 'test/core/partners/authenticate.test.ts',
      test: 'a revoked key and a disabled partner are refused within five seconds by every replica',
    },
  },
  {
    name: 'a sealed secret opens for any row',
    law: 8,
    file: 'src/runtime/seal.ts',
    changes: [{ find: '`${VERSION}.${keyId}.${identity}`', replace: '`${VERSION}.${keyId}`' }],
    killedBy: { file: 'test/runtime/seal.test.ts', test: 'does not open for another row or column' },
  },
  {
    name: 'nothing masks what is said',
    law: 8,
    file: 'src/runtime/redact.ts',
    changes: [
      { find: 'const masked = text.replace(sensitive,', replace: 'const masked = text.replace(/(?!)/g,' },
    ],
    killedBy: { file: 'test/runtime/redact.test.ts', test: 'shows a payer’s number in no field whole' },
  },
  {
    name: 'logs show whole numbers',
    law: 8,
    file: 'src/values/msisdn.ts',
    changes: [{ find: '`${msisdn.slice(0, 4)}*****${msisdn.slice(-3)}`', replace: 'msisdn' }],
    killedBy: { file: 'test/values/values.test.ts', test: 'is masked for logs' },
  },
]
