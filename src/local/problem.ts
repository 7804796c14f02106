/** What a person at this machine can mend: its message is told without a stack. */
export class LocalProblem extends Error {
  override name = 'LocalProblem'
}
