import type { Mutant } from './mutant.ts'

/** What breaks the law of what nobody may see. */
export const SECRECY_MUTANTS: readonly Mutant[] = [
  {
    name: 'a partner sees the payments of others',
    law: 8,
    file: 'src/core/payments/find.ts',
    changes: [
      {
        find: "owner === 'anybody' ? query : query.where('partner_id', '=', owner.partnerId)",
        replace: 'query',
      },
    ],
    killedBy: {
      file: 'test/contract/transactions.test.ts',
      test: 'that nobody has, and a stranger’s, are the same 404',
    },
  },
  {
    name: 'a mistyped key is looked up',
    law: 8,
    file: 'src/core/partners/secret-check.ts',
    changes: [
      { find: 'if (!isWellFormedSecret(options.prefix, secret)) return wrong(address)', replace: '' },
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
