import {
  applyTo,
  applyToEntries,
  type DiskNode,
  type FileChange,
  type FolderChange,
  type FolderNode,
  type Step,
} from './memory-disk.ts'

/** A disk as it is found after a power cut: the path of each folder, and of each file with what it holds. */
export type Image = ReadonlyMap<string, Buffer | 'folder'>

/** Where the newest write is torn: at each byte, or at what disks write at once and at the ends of a record's parts. */
export type Tearing = 'bytes' | 'sectors'

const SECTOR_BYTES = 512

/** Of how many sectors a write may be for each set of them to be tried. */
const MAX_SECTORS = 5

/** Within a record: its letters, its header, the length of its JSON. */
const PARTS_END = new Set([1, 4, 12, 16, 20, 21])

/**
 * Every state of the disk that POSIX allows when the power is cut after `steps`. What a sync covers is there. Of the other
 * changes of a file any may be there and any not, the last of them torn; a file may have its new size and not its new bytes,
 * which are zeros then. A write that is not the newest of the disk is torn in its middle only: it was the newest before. Of the other changes of a folder any may be there and any not, those of one name in their order; a
 * rename happens as a whole.
 */
export function* imagesAfter(
  steps: readonly Step<unknown>[],
  root: FolderNode,
  tearing: Tearing,
): Generator<Image> {
  const newest = steps.findLast((step) => isChange(step))?.node
  const how = { changes: changesOf(steps), tearsOf: tearsWith(newest, tearing) }
  for (const tree of treesOf(root, how)) yield new Map(tree)
}

/** The changes of each file and folder, and where a write to a file is torn. */
type How = { changes: Map<DiskNode, Change[]>; tearsOf: (write: Write) => number[] }

type Change = (FileChange | FolderChange) & { isDurable: boolean }

/** The changes of each file and folder, in their order. */
const changesOf = (steps: readonly Step<unknown>[]): Map<DiskNode, Change[]> => {
  const changes = new Map<DiskNode, Change[]>()
  for (const [at, step] of steps.entries()) {
    if (!isChange(step)) continue
    const sync = steps.find(
      (later) =>
        (later.kind === 'sync' || later.kind === 'failed_sync') &&
        later.node === step.node &&
        later.before > at,
    )
    const known = changes.get(step.node) ?? []
    known.push({ ...step, isDurable: sync?.kind === 'sync' })
    changes.set(step.node, known)
  }
  return changes
}

const isChange = (step: Step<unknown>): step is FileChange | FolderChange =>
  step.kind !== 'note' && step.kind !== 'sync' && step.kind !== 'failed_sync'

type Entry = [path: string, content: Buffer | 'folder']

function* treesOf(folder: FolderNode, how: How, path = ''): Generator<Entry[]> {
  for (const entries of entriesOf(how.changes.get(folder) ?? [])) {
    yield* product([...entries], ([name, node]) => nodesOf(node, how, `${path}/${name}`))
  }
}

function* nodesOf(node: DiskNode, how: How, path: string): Generator<Entry[]> {
  if (node.kind === 'file') {
    for (const bytes of contentsOf(how.changes.get(node) ?? [], how)) yield [[path, bytes]]
  } else {
    for (const tree of treesOf(node, how, path)) yield [[path, 'folder'], ...tree]
  }
}

/** Each way to choose one of the variants of every item, put together. */
function* product<Item>(items: Item[], variantsOf: (item: Item) => Iterable<Entry[]>): Generator<Entry[]> {
  const [first, ...others] = items
  if (first === undefined) {
    yield []
    return
  }
  for (const variant of variantsOf(first)) {
    for (const rest of product(others, variantsOf)) yield [...variant, ...rest]
  }
}

function* entriesOf(changes: readonly Change[]): Generator<Map<string, DiskNode>> {
  for (const chosen of subsetsOf(changes)) {
    if (!keepsOrder(changes, chosen)) continue
    const entries = new Map<string, DiskNode>()
    for (const change of chosen) {
      if (change.kind !== 'write' && change.kind !== 'truncate') applyToEntries(entries, change)
    }
    yield entries
  }
}

/** True when no change of a name is there without those of the same name before it. */
const keepsOrder = (changes: readonly Change[], chosen: readonly Change[]): boolean =>
  changes.every((missing, at) => {
    if (chosen.includes(missing)) return true
    const names = namesOf(missing)
    return !changes
      .slice(at + 1)
      .some((later) => chosen.includes(later) && namesOf(later).some((one) => names.includes(one)))
  })

const namesOf = (change: Change): string[] => {
  if (change.kind === 'rename') return [change.name, change.to]
  return change.kind === 'link' || change.kind === 'unlink' ? [change.name] : []
}

function* contentsOf(changes: readonly Change[], how: How): Generator<Buffer> {
  for (const chosen of subsetsOf(changes)) {
    let bytes: Buffer = Buffer.alloc(0)
    for (const [at, change] of chosen.entries()) {
      if (change.kind !== 'write' && change.kind !== 'truncate') continue
      const isLast = at === chosen.length - 1
      if (isLast && !change.isDurable && change.kind === 'write') yield* tornWrites(bytes, change, how)
      bytes = applyTo(bytes, change)
    }
    yield bytes
  }
}

/** What is durable, and any of what is not. */
function* subsetsOf(changes: readonly Change[]): Generator<Change[]> {
  const open = changes.filter(({ isDurable }) => !isDurable)
  for (let mask = 0; mask < 2 ** open.length; mask += 1) {
    yield changes.filter((change) => change.isDurable || (mask >> open.indexOf(change)) % 2 === 1)
  }
}

type Write = Extract<FileChange, { kind: 'write' }>

function* tornWrites(before: Buffer, write: Write, how: How): Generator<Buffer> {
  const whole = applyTo(before, write)
  const unwritten = applyTo(before, { ...write, bytes: Buffer.alloc(write.bytes.length) })
  before.copy(unwritten)
  yield unwritten
  for (const at of how.tearsOf(write)) {
    const end = write.offset + at
    yield whole.subarray(0, Math.max(end, before.length))
    yield Buffer.concat([whole.subarray(0, end), unwritten.subarray(end)])
    yield Buffer.concat([unwritten.subarray(0, end), whole.subarray(end)])
  }
  yield* scattered(unwritten, whole, write)
}

const tearsWith =
  (newest: DiskNode | undefined, tearing: Tearing) =>
  (write: Write): number[] => {
    const all = Array.from({ length: write.bytes.length }, (_one, at) => at)
    if (write.node !== newest) return [Math.floor(all.length / 2)]
    return tearing === 'bytes'
      ? all
      : all.filter((at) => PARTS_END.has(at) || (write.offset + at) % SECTOR_BYTES === 0)
  }

/** Any of the sectors that a write touches are written, and any not. */
function* scattered(unwritten: Buffer, whole: Buffer, write: Write): Generator<Buffer> {
  const first = Math.floor(write.offset / SECTOR_BYTES)
  const count = Math.ceil((write.offset + write.bytes.length) / SECTOR_BYTES) - first
  if (count > MAX_SECTORS) return
  for (let mask = 1; mask < 2 ** count - 1; mask += 1) {
    const bytes = Buffer.from(unwritten)
    for (let sector = 0; sector < count; sector += 1) {
      const at = (first + sector) * SECTOR_BYTES
      if ((mask >> sector) % 2 === 1) whole.subarray(at, at + SECTOR_BYTES).copy(bytes, at)
    }
    yield bytes
  }
}
