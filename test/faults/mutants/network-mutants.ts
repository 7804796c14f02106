import type { Mutant } from './mutant.ts'

/** What the network brings: addresses that nobody judged, answers that do not come, halves of characters. */
export const NETWORK_MUTANTS: readonly Mutant[] = [
  {
    name: 'an address is connected to that was judged with its name alone',
    law: 8,
    file: 'src/dispatcher/network/dial.ts',
    changes: [{ find: '      refuse(next.address)\n', replace: '' }],
    killedBy: {
      file: 'test/dispatcher/network/dial.test.ts',
      test: 'are judged when they are found, and each again when it is connected to',
    },
  },
  {
    name: 'addresses pass where one family did not answer',
    law: 8,
    file: 'src/dispatcher/network/guard-address.ts',
    changes: [
      {
        find: 'const addresses = literal === null ? await options.resolve(hostname) : [literal]',
        replace:
          'const addresses = literal === null ? await options.resolve(hostname) : [literal]\n    if (new Set(addresses.map((one) => one.family)).size === 1) passed.push(...addresses.map((one) => one.address))',
      },
      {
        find: '    return options.allowPrivateNetworks ||',
        replace: '    return passed.includes(address) || options.allowPrivateNetworks ||',
      },
      {
        find: '  const isPublic = options.isPublic',
        replace: '  const passed: string[] = []\n  const isPublic = options.isPublic',
      },
    ],
    killedBy: {
      file: 'test/dispatcher/network/name-servers.test.ts',
      test: 'that drop AAAA, and say that A is private',
    },
  },
  {
    name: 'one refused address among several refuses nothing',
    law: 8,
    file: 'src/dispatcher/network/guard-address.ts',
    changes: [{ find: '    for (const { address } of addresses) refuse(address)\n', replace: '' }],
    killedBy: {
      file: 'test/dispatcher/network/names.test.ts',
      test: 'a public IPv4 and a private IPv6 address',
    },
  },
  {
    name: 'a family whose answer is dropped is waited for as long as any',
    law: 6,
    file: 'src/dispatcher/network/resolve-host.ts',
    changes: [
      { find: '    if (addresses.length > 0) timers.push(endAfter(waits.otherFamilyMs))\n', replace: '' },
    ],
    killedBy: { file: 'test/dispatcher/network/name-servers.test.ts', test: 'that answer A and drop AAAA' },
  },
  {
    name: 'an address that is silent is given up for the next',
    law: 6,
    file: 'src/dispatcher/network/dial.ts',
    changes: [
      {
        find: '    clearTimeout(timer)\n    const next = waiting.shift()',
        replace:
          '    clearTimeout(timer)\n    for (const socket of open) socket.destroy(new Error("silent"))\n    const next = waiting.shift()',
      },
    ],
    killedBy: {
      file: 'test/dispatcher/network/dial.test.ts',
      test: 'is waited for when the other address has no route',
    },
  },
  {
    name: 'a request id may be any text',
    law: 8,
    file: 'src/values/request-id.ts',
    changes: [{ find: ' && REQUEST_ID_PATTERN.test(given) ?', replace: ' ?' }],
    killedBy: {
      file: 'test/core/services/request-ids-and-traces.test.ts',
      test: 'stands nowhere when it is a b',
    },
  },
  {
    name: 'a cell of a table is printed as it came',
    law: 8,
    file: 'src/values/visible-text.ts',
    changes: [{ find: 'text.replaceAll(UNSEEN, escape)', replace: 'text' }],
    killedBy: { file: 'test/cli/visible-output.test.ts', test: 'deliveries show' },
  },
  {
    name: 'the mask looks through the same text again and again',
    law: 7,
    file: 'src/runtime/redact.ts',
    changes: [{ find: '?#@:]*:', replace: '?#@]*:' }],
    killedBy: { file: 'test/runtime/linear.test.ts', test: 'in the log, whatever stands in it' },
  },
  {
    name: 'a cut leaves half a character',
    law: 6,
    file: 'src/values/outside-text.ts',
    changes: [
      { find: 'isHighSurrogate(clean.charCodeAt(length - 1)) ? length - 1 : length', replace: 'length' },
    ],
    killedBy: {
      file: 'test/core/daraja/half-characters.test.ts',
      test: 'is not in what is read of a callback',
    },
  },
  {
    name: 'half a character is passed on',
    law: 6,
    file: 'src/values/outside-text.ts',
    changes: [{ find: '.toWellFormed()', replace: '' }],
    killedBy: { file: 'test/core/daraja/half-characters.test.ts', test: 'is JSON that UTF-8 can hold' },
  },
]
