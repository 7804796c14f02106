import { readdir, readFile } from 'node:fs/promises'

/** Ticks of the kernel's clock in a second, as Linux counts a process's time on every platform of today. */
const TICKS_PER_SECOND = 100

/**
 * The seconds of CPU that a process and those it started have used up, also those that have ended; null where there is no
 * `/proc` to read it from. On a machine that others use too, it tells more than the clock on the wall.
 */
export const cpuSeconds = async (pid: number): Promise<number | null> => {
  const all = await readAll()
  if (!all.has(pid)) return null
  let ticks = 0
  const add = (one: number): void => {
    ticks += all.get(one)?.ticks ?? 0
    for (const [child, { parent }] of all) if (parent === one) add(child)
  }
  add(pid)
  return ticks / TICKS_PER_SECOND
}

type Entry = { parent: number; ticks: number }

const readAll = async (): Promise<Map<number, Entry>> => {
  const names = await readdir('/proc').catch(() => [])
  const pids = names.filter((name) => /^\d+$/.test(name)).map(Number)
  const entries = await Promise.all(pids.map(async (pid) => [pid, await readEntry(pid)] as const))
  return new Map(entries.flatMap(([pid, entry]) => (entry === null ? [] : [[pid, entry]])))
}

/** The fields after the name, which stands in parentheses and may hold anything: see proc(5). */
const readEntry = async (pid: number): Promise<Entry | null> => {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
  if (text === null) return null
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number)
  const [, parent = 0] = fields
  return { parent, ticks: fields.slice(11, 15).reduce((sum, count) => sum + count, 0) }
}

/**
 * The seconds of CPU of those children of a process whose command line holds the text, as far as they still run: the
 * processes of one Postgres say by their titles what they do.
 */
export const cpuSecondsOfChildren = async (pid: number, title: string): Promise<number | null> => {
  const all = await readAll()
  if (!all.has(pid)) return null
  let ticks = 0
  for (const [child, entry] of all) {
    if (entry.parent !== pid) continue
    const command = await readFile(`/proc/${child}/cmdline`, 'utf8').catch(() => '')
    if (command.includes(title)) ticks += entry.ticks
  }
  return ticks / TICKS_PER_SECOND
}
