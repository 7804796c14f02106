/** The points still to be passed, the last of which ends the process; null when nothing is armed. */
let armed: string[] | null = null

/**
 * Arms a crash, for tests: `path` names crash points separated by blanks, and the process is killed at the last one,
 * once the others were passed in their order. So `a` is the first time at a, `a a` the second, `b a` the first after b.
 * Undefined or empty arms nothing, which is what every process in production does.
 */
export const armCrashPoint = (path: string | undefined): void => {
  const names = (path ?? '').split(' ').filter((name) => name !== '')
  armed = names.length === 0 ? null : names
}

/**
 * A named instant at which a process may be killed: before or after a commit, a send, an acknowledgement. The suite
 * finds the names in the code and kills a process at each. `inHand` says with how much work the instant is reached:
 * with none it is no crash point, for loops that find nothing come past all the time. Costs one comparison where
 * nothing is armed.
 */
export const crashPoint = (name: string, inHand = 1): void => {
  if (armed !== null && inHand > 0) pass(armed, name)
}

const pass = (path: string[], name: string): void => {
  if (path[0] !== name) return
  path.shift()
  // At once, with nothing flushed and nothing finished, as the system's out-of-memory killer or a pulled plug would.
  if (path.length === 0) process.kill(process.pid, 'SIGKILL')
}
