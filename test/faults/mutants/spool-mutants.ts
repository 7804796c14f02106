import type { Mutant } from './mutant.ts'

const POWER_CUT = 'test/core/callback/power-cut.test.ts'

/** Law 3 broken where only a power cut shows it: in the spool's syncs, and in what is taken for a whole record. */
export const SPOOL_MUTANTS: readonly Mutant[] = [
  {
    name: 'the folder of a new spool file is not synced',
    law: 3,
    file: 'src/core/callback/spool-files.ts',
    changes: [{ find: '    await syncFolder(disk, folder)\n', replace: '' }],
    killedBy: { file: POWER_CUT, test: 'invents none: callbacks come, alone and together' },
  },
  {
    name: 'a callback is acknowledged before the sync of its file has ended',
    law: 3,
    file: 'src/core/callback/spool-writer.ts',
    changes: [{ find: 'await syncFile(current.file.handle)', replace: 'void syncFile(current.file.handle)' }],
    killedBy: { file: POWER_CUT, test: 'invents none: the system takes what is written in parts' },
  },
  {
    name: 'a callback is acknowledged in a file that another process has taken over',
    law: 3,
    file: 'src/core/callback/spool-writer.ts',
    changes: [{ find: 'if (await hasItsName(disk, current.file))', replace: 'if (current.bytes >= 0)' }],
    killedBy: { file: POWER_CUT, test: 'invents none: another process takes the file over' },
  },
  {
    name: 'a torn record is taken for whole',
    law: 3,
    file: 'src/core/callback/spool-record.ts',
    changes: [{ find: 'if (crc32(content) !== record.readUInt32LE(8)) return null\n', replace: '' }],
    killedBy: { file: POWER_CUT, test: 'invents none: a callback is larger than what disks write at once' },
  },
  {
    name: 'what is damaged is not synced before its file is removed',
    law: 3,
    file: 'src/core/callback/spool-files.ts',
    changes: [{ find: '    await syncFile(handle, callbacks)\n', replace: '' }],
    killedBy: { file: POWER_CUT, test: 'invents none: a damaged file is replayed' },
  },
  {
    name: 'the name of a spool folder that another process made is not synced',
    law: 3,
    file: 'src/core/callback/spool-files.ts',
    changes: [
      {
        find: 'if (await isFolder(disk, folder)) {\n    await syncFolder(disk, parent, 0)',
        replace: 'if (await isFolder(disk, folder)) {\n    await Promise.resolve()',
      },
    ],
    killedBy: { file: POWER_CUT, test: 'also when a process was killed before' },
  },
]
