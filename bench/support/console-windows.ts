import { setTimeout as pause } from 'node:timers/promises'
import { besideOf, KINDS, type Kind, NOBODY, OPERATORS_LOOK, PROGRAM, whileBeside } from './console-beside.ts'
import type { BenchConsole } from './console-process.ts'
import { cpuSeconds } from './cpu-time.ts'
import type { BenchServer } from './server-process.ts'
import type { Cpu, System } from './whole/systems.ts'

/** Every order of the three, so that each comes first, second and third equally often, in each half too. */
const ORDERS: readonly (readonly Kind[])[] = [
  [NOBODY, OPERATORS_LOOK, PROGRAM],
  [OPERATORS_LOOK, PROGRAM, NOBODY],
  [PROGRAM, NOBODY, OPERATORS_LOOK],
  [NOBODY, PROGRAM, OPERATORS_LOOK],
  [PROGRAM, OPERATORS_LOOK, NOBODY],
  [OPERATORS_LOOK, NOBODY, PROGRAM],
]

/** The beginning of a window, which is not counted: what the window before it began ends there. */
const UNCOUNTED_SECONDS = 1

/** Seconds of CPU so far, of the gateway and of what works beside it. */
export type CpuBeside = Cpu & { console: number; program: number }

/** The counted part of a window: its borders, ms since 1970, and the CPU that was used up at each. */
export type Window = {
  round: number
  kind: Kind
  fromMs: number
  toMs: number
  before: CpuBeside
  after: CpuBeside
}

/** The system that takes the payments, and what works beside it. `program` is `bursts` of bench/servers. */
export type WindowStage = { system: System; console: BenchConsole; program: BenchServer }

type Plan = { round: number; kind: Kind }

/** The windows in their order. Round 0 warms, and shows what the console uses before the other program first works. */
export const planWindows = (rounds: number): Plan[] => [
  ...KINDS.map((kind) => ({ round: 0, kind })),
  ...Array.from({ length: rounds }, (_one, index) =>
    (ORDERS[index % ORDERS.length] ?? KINDS).map((kind) => ({ round: index + 1, kind })),
  ).flat(),
]

/** How long all windows take together, seconds; `seconds` is the counted part of each. */
export const secondsOfWindows = (options: { rounds: number; seconds: number }): number =>
  planWindows(options.rounds).length * (UNCOUNTED_SECONDS + options.seconds)

/**
 * Takes one window after the other, without a pause between them, while somebody else makes payments; resolves with those
 * of all rounds but round 0. `seconds` is the counted part of each.
 */
export const takeWindows = async (
  stage: WindowStage,
  { rounds, seconds }: { rounds: number; seconds: number },
): Promise<Window[]> => {
  const windows: Window[] = []
  const beganMs = nowMs()
  for (const [index, { round, kind }] of planWindows(rounds).entries()) {
    const fromMs = beganMs + (index * (UNCOUNTED_SECONDS + seconds) + UNCOUNTED_SECONDS) * 1000
    const consoleMs = cpuMsASecond(windows, OPERATORS_LOOK, 'console')
    const beside = besideOf(kind, { ...stage, consoleMs })
    const borders = await whileBeside(beside, () => takeBorders(stage, fromMs, fromMs + seconds * 1000))
    windows.push({ round, kind, ...borders })
  }
  return windows.filter(({ round }) => round > 0)
}

/** The mean CPU that one part used in the windows of a kind, ms a second. */
export const cpuMsASecond = (windows: readonly Window[], kind: Kind, part: keyof CpuBeside): number => {
  const those = windows.filter((window) => window.kind === kind)
  const usedMs = those.reduce((sum, { before, after }) => sum + (after[part] - before[part]) * 1000, 0)
  return usedMs / those.reduce((sum, { fromMs, toMs }) => sum + (toMs - fromMs) / 1000, 0)
}

/** Comparable with the instants of other processes, and as fine as theirs. */
const nowMs = (): number => performance.timeOrigin + performance.now()

const takeBorders = async (stage: WindowStage, fromMs: number, toMs: number) => {
  const from = await readAt(stage, fromMs)
  const to = await readAt(stage, toMs)
  return { fromMs: from.atMs, toMs: to.atMs, before: from.cpu, after: to.cpu }
}

const readAt = async (
  { system, console, program }: WindowStage,
  dueMs: number,
): Promise<{ atMs: number; cpu: CpuBeside }> => {
  await pause(Math.max(0, dueMs - nowMs()))
  const atMs = nowMs()
  const secondsOf = async (pid: number): Promise<number> => (await cpuSeconds(pid)) ?? Number.NaN
  return {
    atMs,
    cpu: {
      ...(await system.cpu()),
      console: await secondsOf(console.pid),
      program: await secondsOf(program.pid),
    },
  }
}
